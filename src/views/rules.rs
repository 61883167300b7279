//! Who is kept out of a room and by which rule, and who may do what there, in a few words. Decides nothing of what anybody may do.

use super::phrases::text;
use crate::archive::Error;
use crate::archive::reading::events::CatalogEvent;
use crate::archive::reading::names::MemberNames;
use crate::document::line::{Line, Span};
use crate::document::powers::{LevelChange, LevelOf, changes};
use crate::event::Object;

/// How many servers, or levels, are told.
const TOLD: usize = 10;

/// What a rule of a policy list is about (client-server specification, "Moderation policy lists"): one and several.
fn subject(kind: &str) -> Option<(&'static str, &'static str)> {
    let prefixes = ["m.policy.rule.", "org.matrix.mjolnir.rule.", "m.room.rule."];
    match prefixes.iter().find_map(|prefix| kind.strip_prefix(prefix))? {
        "user" => Some(("user", "users")),
        "room" => Some(("room", "rooms")),
        "server" => Some(("server", "servers")),
        _ => None,
    }
}

/// What somebody did who set a rule of a policy list or took it back: `banned the server evil.example by the rule “…”: spam`.
pub(super) fn policy(kind: &str, state_key: &str, content: &Object<'_>, is_hidden: bool) -> Option<Line> {
    let (one, several) = subject(kind)?;
    let rule = [Span::words("the rule “"), text(state_key), Span::words("”")];
    let about = |did: &'static str| {
        let about = Span::Words(format!(" about {several}").into());
        Some([Span::words(did)].into_iter().chain(rule.clone()).chain([about]).collect())
    };
    let given = |key: &str| content.given(key);
    let (entity, recommendation) = (given("entity"), given("recommendation"));
    let hashes = content.object("hashes").or_else(|| content.object("org.matrix.msc4205.hashes"));
    if is_hidden {
        return about("changed ");
    }
    if entity.is_none() && hashes.is_none() && recommendation.is_none() {
        return about("took back ");
    }
    let (mut what, place) = match recommendation.as_deref() {
        Some("m.ban" | "org.matrix.mjolnir.ban") => (vec![Span::words("banned ")], " by "),
        Some(other) => (vec![Span::words("recommended "), text(other), Span::words(" for ")], " by "),
        None => (vec![Span::words("named ")], " in "),
    };
    let is_pattern = entity.as_deref().is_some_and(|entity| entity.contains(['*', '?']));
    what.push(Span::Words(format!("the {} ", if is_pattern { several } else { one }).into()));
    what.push(
        entity.map_or(Span::words("that a hash stands for"), |entity| Span::Code(entity.chars().take(200).collect())),
    );
    what.push(Span::words(place));
    what.extend(rule);
    what.extend(given("reason").into_iter().flat_map(|reason| [Span::words(": "), text(&reason)]));
    Some(what)
}

/// Which servers may take part: `all but evil.example`.
pub(super) fn servers(content: &Object<'_>) -> Line {
    let (allowed, denied) = (content.texts("allow"), content.texts("deny"));
    let mut what = vec![Span::words("changed which servers may take part: ")];
    let is_all = allowed.iter().any(|server| server == "*");
    if is_all {
        what.push(Span::words("all"));
    } else if allowed.is_empty() {
        what.push(Span::words("none"));
    } else {
        what.push(Span::words("only "));
        what.extend(listed(allowed.iter().map(|server| vec![Span::Code(server.chars().take(200).collect())])));
    }
    if !denied.is_empty() && !allowed.is_empty() {
        what.push(Span::words(if is_all { " but " } else { ", but not " }));
        what.extend(listed(denied.iter().map(|server| vec![Span::Code(server.chars().take(200).collect())])));
    }
    what
}

/// Who got which level: `changed who may do what: Bob 100 (50 before)`.
pub(super) fn powers(event: &CatalogEvent, names: &mut MemberNames<'_>) -> Result<Line, Error> {
    let before = names.power_levels_before(event)?;
    let changes = changes(before.as_deref(), event.content());
    let more = changes.len().saturating_sub(TOLD);
    let mut told = Vec::new();
    for LevelChange { of, before, now } in changes.into_iter().take(TOLD) {
        let of = match of {
            LevelOf::User(user_id) => Span::Name(names.shown(Some(&user_id), event.at)?),
            LevelOf::Action(what) => Span::Code(what.chars().take(200).collect()),
        };
        let level = match (before, now) {
            (None, Some(now)) => format!(" {now}"),
            (Some(before), Some(now)) => format!(" {now} ({before} before)"),
            (before, None) => format!(" like all others ({} before)", before.unwrap_or_default()),
        };
        told.push(vec![of, Span::Words(level.into())]);
    }
    let mut what = vec![Span::words("changed who may do what")];
    if !told.is_empty() {
        what.push(Span::words(": "));
        what.extend(separated(told.into_iter(), more));
    }
    Ok(what)
}

/// The first of several, and how many more there are.
fn listed(all: impl ExactSizeIterator<Item = Line>) -> Line {
    let more = all.len().saturating_sub(TOLD);
    separated(all.take(TOLD), more)
}

fn separated(all: impl Iterator<Item = Line>, more: usize) -> Line {
    let mut what = Vec::new();
    for (place, one) in all.enumerate() {
        what.extend((place > 0).then_some(Span::words(", ")));
        what.extend(one);
    }
    what.extend((more > 0).then(|| Span::Words(format!(" and {more} more").into())));
    what
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::markdown;

    fn told(line: &[Span]) -> String {
        markdown::line(line)
    }

    #[test]
    fn who_is_banned_by_which_rule_is_told() {
        let told = |kind: &str, content: &str| {
            policy(kind, "rule:1", &Object::of(content), false).map(|line| told(&line)).unwrap_or_default()
        };
        for (kind, content, expected) in [
            (
                "m.policy.rule.user",
                r#"{"entity":"@spam*:x","recommendation":"m.ban","reason":"spam"}"#,
                "banned the users `@spam*:x` by the rule “rule:1”: spam",
            ),
            (
                "org.matrix.mjolnir.rule.server",
                r#"{"entity":"x","recommendation":"org.matrix.mjolnir.ban"}"#,
                "banned the server `x` by the rule “rule:1”",
            ),
            ("m.room.rule.room", "{}", "took back the rule “rule:1” about rooms"),
            (
                "m.policy.rule.room",
                r#"{"entity":"!a:x","recommendation":"org.matrix.msc4204.takedown"}"#,
                "recommended org.matrix.msc4204.takedown for the room `!a:x` by the rule “rule:1”",
            ),
            ("m.policy.rule.user", r#"{"entity":"@a:x"}"#, "named the user `@a:x` in the rule “rule:1”"),
            (
                "m.policy.rule.user",
                r#"{"hashes":{"sha256":""},"recommendation":"m.ban"}"#,
                "banned the user that a hash stands for by the rule “rule:1”",
            ),
            ("m.policy.rule.other", "{}", ""),
        ] {
            assert_eq!(told(kind, content), expected);
        }
    }

    #[test]
    fn which_servers_may_take_part_is_told() {
        let servers = |content: &str| told(&servers(&Object::of(content)));
        let begin = "changed which servers may take part: ";
        assert_eq!(servers(r#"{"allow":["*"],"deny":["a.b","*.c"]}"#), format!("{begin}all but `a.b`, `*.c`"));
        assert_eq!(servers(r#"{"allow":["*"]}"#), format!("{begin}all"));
        assert_eq!(servers(r#"{"allow":["a"],"deny":["b"]}"#), format!("{begin}only `a`, but not `b`"));
        assert_eq!(servers(r#"{"deny":["b"]}"#), format!("{begin}none"));
        let many: Vec<String> = (0..12).map(|server| server.to_string()).collect();
        let many = serde_json::json!({"allow": many}).to_string();
        assert!(servers(&many).ends_with("`8`, `9` and 2 more"), "{}", servers(&many));
    }
}
