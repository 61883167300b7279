//! Live locations as lists of positions. No map, and no address that leads to one.

use std::fmt::Write as _;

use super::super::block::LiveLocation;
use super::super::time;
use super::text::{code_span, inline};

/// A live location: `📍 live location: Hike · for 15 min · 2 positions`, and these as a list.
pub(super) fn location(of: &LiveLocation) -> String {
    let mut text = "📍 live location".to_owned();
    if let Some(description) = &of.description {
        text.extend([": ", &inline(description)]);
    }
    if let Some(timeout) = of.timeout {
        let _ = write!(text, " · for {}", time::span(timeout));
    }
    let _ = match of.positions.len() as u64 + of.more {
        0 => write!(text, " · no position"),
        1 => write!(text, " · 1 position"),
        count => write!(text, " · {count} positions"),
    };
    for (place, position) in of.positions.iter().enumerate() {
        let is_first = place == 0;
        if of.more > 0 && place + 1 == of.positions.len() {
            let _ = write!(text, "\n- {} other{}", of.more, if of.more == 1 { "" } else { "s" });
        }
        let _ = write!(text, "{}- {}", if is_first { "\n\n" } else { "\n" }, position.at);
        for part in [position.description.as_deref().map(inline), position.uri.as_deref().map(code_span)] {
            part.into_iter().filter(|part| !part.is_empty()).for_each(|part| text.extend([" · ", &part]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::block::GeoPosition;
    use super::super::super::line::When;
    use super::*;

    #[test]
    fn a_live_location_is_a_list() {
        let at = |minute: i64, description: &str| GeoPosition {
            at: When::here(Some(60_000 * minute), time::Zone::default()),
            uri: Some("geo:1,2`".to_owned()),
            description: Some(description.to_owned()).filter(|text| !text.is_empty()),
        };
        let positions = vec![at(0, ""), at(1, "*ridge*"), at(59, "")];
        let of = LiveLocation { description: Some("My <hike>".to_owned()), timeout: Some(900_000), positions, more: 7 };
        let head = "📍 live location: My &lt;hike> · for 15 min · 10 positions";
        let geo = "`` geo:1,2` ``";
        let list = format!("- 00:00 · {geo}\n- 00:01 · \\*ridge\\* · {geo}\n- 7 others\n- 00:59 · {geo}");
        assert_eq!(location(&of), format!("{head}\n\n{list}"));
        assert!(location(&LiveLocation { more: 1, ..of }).contains("\n- 1 other\n"));
        let none = LiveLocation { description: None, timeout: None, positions: Vec::new(), more: 0 };
        assert_eq!(location(&none), "📍 live location · no position");
    }
}
