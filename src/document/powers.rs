//! Power levels as `m.room.power_levels` has them, and what of them changes. Decides nothing of what anybody may do.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::event::Object;
use crate::event::object::{members, text};

/// The levels that are needed for something, beside those for events and notifications.
const ACTIONS: [&str; 7] = ["ban", "events_default", "invite", "kick", "redact", "state_default", "users_default"];

/// Whose level it is, or for what one is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LevelOf {
    User(String),
    /// `ban`, the type of an event, `notifications.room`.
    Action(String),
}

/// A level that is another than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LevelChange {
    pub(crate) of: LevelOf,
    pub(crate) before: Option<i64>,
    /// None: the level is that of all others.
    pub(crate) now: Option<i64>,
}

/// What changes with a content: who gets which level, and for what other levels are needed. Where it is not known what was before,
/// who has one.
pub(crate) fn changes(before: Option<&str>, now: &str) -> Vec<LevelChange> {
    let is_known = before.is_some();
    let (mut before, now) = (before.map(levels).unwrap_or_default(), levels(now));
    let mut changes: Vec<LevelChange> = Vec::new();
    for (of, now) in now {
        let before = before.remove(&of);
        if before != Some(now) && (is_known || matches!(of, LevelOf::User(_))) {
            changes.push(LevelChange { of, before, now: Some(now) });
        }
    }
    changes.extend(before.into_iter().map(|(of, before)| LevelChange { of, before: Some(before), now: None }));
    changes.sort_by(|a, b| a.of.cmp(&b.of));
    changes
}

fn levels(content: &str) -> BTreeMap<LevelOf, i64> {
    let mut levels = BTreeMap::new();
    for (key, value) in members(content) {
        let of_all = |of: &dyn Fn(&str) -> LevelOf| {
            let members = members(value.get()).into_iter();
            members.filter_map(|(key, value)| Some((of(&key), level(value)?))).collect::<Vec<_>>()
        };
        match &*key {
            "users" => levels.extend(of_all(&|user| LevelOf::User(user.to_owned()))),
            "events" => levels.extend(of_all(&|kind| LevelOf::Action(kind.to_owned()))),
            "notifications" => levels.extend(of_all(&|what| LevelOf::Action(format!("notifications.{what}")))),
            key if ACTIONS.contains(&key) => {
                levels.extend(level(value).map(|level| (LevelOf::Action(key.to_owned()), level)));
            }
            _ => {}
        }
    }
    levels
}

/// The level that a member of an object is.
pub(crate) fn level_of(of: &Object<'_>, key: &str) -> Option<i64> {
    level(of.get(key)?)
}

/// A level, which older versions of rooms allow to be a string, or a fraction.
fn level(value: &RawValue) -> Option<i64> {
    let text = text(value);
    let text = text.as_deref().unwrap_or(value.get());
    let whole = text.trim().split('.').next()?;
    whole.trim_start_matches('+').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: Option<&str>, now: &str) -> Vec<String> {
        let changes = changes(before, now).into_iter();
        changes.map(|LevelChange { of, before, now }| format!("{of:?} {before:?} {now:?}")).collect()
    }

    #[test]
    fn what_is_another_level_than_before_is_told() {
        let before = r#"{"users":{"@a:x":100,"@b:x":50,"@c:x":"50"},"ban":50,"events":{"m.room.name":50},"kick":50}"#;
        let now = r#"{"users":{"@a:x":100,"@b:x":100.0,"@d:x":50},"ban":60,"events":{"m.room.name":50},"notifications":{"room":1}}"#;
        let expected = [
            r#"User("@b:x") Some(50) Some(100)"#,
            r#"User("@c:x") Some(50) None"#,
            r#"User("@d:x") None Some(50)"#,
            r#"Action("ban") Some(50) Some(60)"#,
            r#"Action("kick") Some(50) None"#,
            r#"Action("notifications.room") None Some(1)"#,
        ];
        assert_eq!(told(Some(before), now), expected);
        assert_eq!(told(None, r#"{"users":{"@a:x":100},"ban":50}"#), [r#"User("@a:x") None Some(100)"#]);
        assert!(told(Some("[]"), r#"{"users":[1],"ban":{},"events":null}"#).is_empty());
    }
}
