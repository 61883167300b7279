//! Live locations as events have them (MSC3489, MSC3672): a state event begins and ends one, others give positions. Joins none: which
//! positions belong to which is for `views`.

use super::text::shortened;
use crate::event::Object;

/// Whether events of a type begin or end a live location.
pub(crate) fn is_info(kind: &str) -> bool {
    matches!(kind, "m.beacon_info" | "org.matrix.msc3672.beacon_info" | "org.matrix.msc3489.beacon_info")
}

/// Whether events of a type give a position.
pub(crate) fn is_position(kind: &str) -> bool {
    matches!(kind, "m.beacon" | "org.matrix.msc3672.beacon" | "org.matrix.msc3489.beacon")
}

/// What a state event says of a live location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Info {
    /// It begins; else it ends.
    pub(crate) is_live: bool,
    pub(crate) description: Option<String>,
    /// For how long it is shared, in milliseconds.
    pub(crate) timeout: Option<i64>,
}

impl Info {
    pub(crate) fn of(content: &str) -> Info {
        let content = Object::of(content);
        Info {
            is_live: content.get("live").is_some_and(|live| live.get() == "true"),
            description: description(&content),
            timeout: content.integer("timeout").filter(|timeout| *timeout > 0),
        }
    }

    /// At most so many characters of it.
    pub(crate) fn in_short(&self, chars: usize) -> String {
        shortened(&format!("📍 {}", self.description.as_deref().unwrap_or("live location")), chars)
    }
}

/// Where somebody was: the address, and what they call it.
pub(crate) fn position(content: &str) -> (Option<String>, Option<String>) {
    let content = Object::of(content);
    let location = ["m.location", "org.matrix.msc3488.location"].iter().find_map(|key| content.object(key));
    let location = location.unwrap_or_default();
    (location.text("uri").map(|uri| uri.chars().take(100).collect()), description(&location))
}

fn description(of: &Object<'_>) -> Option<String> {
    of.given("description").map(|text| shortened(&text, 200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_its_type_is_as_if_it_were_not_there() {
        let info = Info::of(r#"{"live":true,"description":" A  hike ","timeout":900000}"#);
        assert_eq!(info, Info { is_live: true, description: Some("A hike".to_owned()), timeout: Some(900_000) });
        assert_eq!(info.in_short(20), "📍 A hike");
        let none = Info { is_live: false, description: None, timeout: None };
        for content in ["", "{}", r#"{"live":"true","description":[],"timeout":-1}"#] {
            assert_eq!(Info::of(content), none, "{content}");
        }
        let at = r#"{"org.matrix.msc3488.location":{"uri":"geo:1,2","description":""}}"#;
        assert_eq!(position(at), (Some("geo:1,2".to_owned()), None));
        assert_eq!(position(r#"{"m.location":[]}"#), (None, None));
    }
}
