//! Changes of a room beside those of its name and its people: addresses of old, widgets, bridges, emoji, retention; in a few words. Knows
//! no markup.

use std::borrow::Cow;

use super::phrases::text;
use crate::document::line::{Line, Span};
use crate::document::time;
use crate::event::Object;

/// What somebody did by a state event of such a type.
pub(super) fn done(kind: &str, state_key: &str, content: &Object<'_>, is_hidden: bool) -> Option<Line> {
    let words = |words: &'static str| vec![Span::words(words)];
    let given = |key: &str| content.given(key);
    Some(match kind {
        "m.room.aliases" => {
            let aliases = content.texts("aliases").join(", ");
            let what = match &*aliases {
                _ if is_hidden => words("changed the room’s addresses"),
                "" => words("took away the room’s addresses"),
                aliases => vec![Span::words("made "), text(aliases), Span::words(" the room’s addresses")],
            };
            [what, vec![Span::words(" at "), text(state_key)]].concat()
        }
        "m.room.retention" => {
            let mut what = words("changed how long messages are kept");
            let longest = content.integer("max_lifetime").filter(|longest| *longest > 0);
            what.extend(longest.map(|longest| Span::Words(format!(": {}", time::span(longest)).into())));
            what
        }
        "im.vector.modular.widgets" | "m.widget" => match given("name").or_else(|| given("type")) {
            Some(widget) => vec![Span::words("added the widget “"), text(&widget), Span::words("”")],
            None if is_hidden => words("changed a widget"),
            None => words("took a widget away"),
        },
        "uk.half-shot.bridge" | "m.bridge" => match (named(content, "protocol"), named(content, "channel")) {
            (Some(network), Some(channel)) => {
                let channel = [Span::words(": “"), text(&channel), Span::words("”")];
                [Span::words("connected the room with "), text(&network)].into_iter().chain(channel).collect()
            }
            (Some(network), None) => vec![Span::words("connected the room with "), text(&network)],
            (None, _) => words("changed a bridge"),
        },
        "im.ponies.room_emotes" | "m.room.image_pack" | "m.image_pack" => words("changed the room’s emoji"),
        _ => return None,
    })
}

/// What a part of a bridge's content is called.
fn named(content: &Object<'_>, key: &str) -> Option<String> {
    let of = content.object(key)?;
    let names = ["displayname", "id"].into_iter().filter_map(|key| of.text(key));
    names.map(Cow::into_owned).find(|name| !name.trim().is_empty())
}
