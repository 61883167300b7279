//! What is left of an event that is erased from an archive, as its line says it.
//!
//! Pure, and takes no more the second time: what was taken stands in the line, as `erased` among the `synapse` keys. Decides nothing
//! of which events are erased.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use super::line::{push_member, quote};
use super::{Event, object, scan};

/// How much of an event is taken, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Erased {
    /// What its server had put into `unsigned` of other events.
    Copies,
    /// These, and what it quotes in its own text of the event that it answers, as older clients do.
    Cut,
    /// All that a redaction takes.
    Pruned,
    /// The whole line.
    Whole,
}

impl Erased {
    const ALL: [Erased; 4] = [Erased::Copies, Erased::Cut, Erased::Pruned, Erased::Whole];

    /// Its name in lines and tombstones.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Erased::Copies => "copies",
            Erased::Cut => "cut",
            Erased::Pruned => "pruned",
            Erased::Whole => "whole",
        }
    }

    /// What has a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Erased> {
        Erased::ALL.into_iter().find(|erased| erased.name() == name)
    }
}

impl Event {
    /// The event with so much of it taken; none: there is nothing of that to take, or it was taken before. What the database says of
    /// it beside its PDU stays known, also where the line does not say it any more.
    #[must_use]
    pub fn erase(&self, how: Erased) -> Option<Event> {
        if self.erased >= Some(how) {
            return None;
        }
        let line = match how {
            Erased::Copies | Erased::Cut => {
                self.cut_line("erased", how, self.replies_to.is_some() || self.edits().is_some())?
            }
            Erased::Pruned | Erased::Whole => {
                Event { erased: Some(how), line: String::new(), ..self.clone() }.pruned_line(self)
            }
        };
        let read = Event::from_line(&line, &self.day.to_string()).ok()?;
        let own = (&self.kind, &self.sender, &self.state_key, &self.origin_server_ts, &self.redacts);
        let of_line = (&read.kind, &read.sender, &read.state_key, &read.origin_server_ts, &read.redacts);
        let is_beyond_line = self.is_beyond_line || self.recheck == Some(true) || own != of_line;
        Some(Event {
            kind: self.kind.clone(),
            sender: self.sender.clone(),
            state_key: self.state_key.clone(),
            origin_server_ts: self.origin_server_ts,
            redacts: self.redacts.clone(),
            recheck: self.recheck,
            duplicate: self.duplicate,
            is_beyond_line,
            sticky_until: None,
            ..read
        })
    }

    /// Whether all that it said is taken.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.erased >= Some(Erased::Pruned)
    }

    /// The event that a server says was in force before this one, whose content it may have copied into `unsigned`.
    #[must_use]
    pub fn replaces_state(&self) -> Option<String> {
        let (_, unsigned) = object::members(&self.line).into_iter().rfind(|(key, _)| key == "unsigned")?;
        object::Object::of(unsigned.get()).text("replaces_state").map(Cow::into_owned)
    }

    /// What redaction leaves of `whole`, which is this event with its line.
    fn pruned_line(&self, whole: &Event) -> String {
        let mut line = self.open(1024, true, true);
        match (&self.damage, whole.pruned()) {
            (Some(_), _) => line.push_str(r#","unparsed":null}"#),
            (None, pruned) => {
                line.push('}');
                for (key, value) in &pruned.unwrap_or_else(|| self.bones()) {
                    line.push(',');
                    push_member(&mut line, key, &value.to_string());
                }
            }
        }
        line.push('}');
        line
    }

    /// The line for others, without what it repeats of other events: what a server had put into `unsigned`, and what it quotes in its own
    /// text of what it answers, as older clients do. What was taken stands in it, as `withheld` among the `synapse` keys. Of a text that
    /// does not parse, and may repeat others, nothing is left.
    #[must_use]
    pub fn without_others(&self) -> Cow<'_, str> {
        let honoured = self.honouring(None);
        if self.damage.is_some() {
            return honoured.line;
        }
        let cuts = self.replies_to.is_some() || self.edits().is_some() || self.rel_type.as_deref() == Some("m.thread");
        let cut = self.cut_line("withheld", if cuts { Erased::Cut } else { Erased::Copies }, cuts);
        cut.map_or(Cow::Borrowed(&*self.line), Cow::Owned)
    }

    /// The same event, as another line says it.
    #[must_use]
    pub fn with_line(&self, line: &str) -> Event {
        if line == self.line {
            return self.clone();
        }
        let read = Event::from_line(line, &self.day.to_string());
        read.unwrap_or_else(|_| Event { line: line.to_owned(), said: None, has: None, ..self.clone() })
    }

    /// The line without what it repeats of others, with `key` to say so; none: it repeats nothing.
    fn cut_line(&self, key: &str, how: Erased, cuts: bool) -> Option<String> {
        let mut line = self.without_quotes().into_owned();
        let mut edits = Vec::new();
        if how == Erased::Cut && cuts {
            for (_, content) in object::members(&line).into_iter().filter(|(key, _)| key == "content") {
                find_quotes(content.get(), &line, &mut edits);
            }
        }
        if edits.is_empty() && line == self.line {
            return None;
        }
        mark(&line, key, how, &mut edits)?;
        edits.sort_unstable_by_key(|(range, _)| std::cmp::Reverse(range.start));
        for (range, text) in edits {
            line.replace_range(range, &text);
        }
        Some(line)
    }
}

type Edit = (Range<usize>, String);

/// Where in a line a part of it is.
fn place(part: &str, line: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - line.as_ptr() as usize;
    start..start + part.len()
}

/// Says in our own object of a line what is taken of it; none: there is no such object.
fn mark(line: &str, key: &str, how: Erased, edits: &mut Vec<Edit>) -> Option<()> {
    let (_, ours) = object::members(line).into_iter().find(|(key, _)| key == "synapse")?;
    let ours = ours.get();
    let name = quote(how.name());
    if let Some((_, before)) = object::members(ours).into_iter().find(|(name, _)| name == key) {
        edits.push((place(before.get(), line), name));
    } else {
        let end = place(ours, line).end - 1;
        edits.push((end..end, format!(",{}:{name}", quote(key))));
    }
    Some(())
}

/// Finds the texts of a JSON value that begin with a quote of what they answer, and what is left of each.
fn find_quotes(value: &str, line: &str, edits: &mut Vec<Edit>) {
    match value.as_bytes().first() {
        Some(b'"') => {
            if let Some(left) = scan::text(value).and_then(|text| without_quote(&text)) {
                edits.push((place(value, line), quote(&left)));
            }
        }
        Some(b'{') => {
            for (_, it) in object::members(value) {
                find_quotes(it.get(), line, edits);
            }
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(value).unwrap_or_default();
            for it in items {
                find_quotes(it.get(), line, edits);
            }
        }
        _ => {}
    }
}

/// A text without the quote before the answer, as plain text or as HTML; none: it has none.
fn without_quote(text: &str) -> Option<String> {
    const OPEN: &str = "<mx-reply>";
    const CLOSE: &str = "</mx-reply>";
    let (edit, answer) = match text.strip_prefix("* ") {
        Some(rest) if rest.starts_with("> ") || rest.starts_with('<') => ("* ", rest),
        _ => ("", text),
    };
    if answer.starts_with("> <") || answer.starts_with("> * <") {
        let answer = answer.split_once("\n\n").map_or("", |(_, answer)| answer);
        return Some(format!("{edit}{answer}"));
    }
    let lower = text.to_ascii_lowercase();
    let start = lower.find(OPEN)?;
    let end = lower.rfind(CLOSE).map_or(text.len(), |end| end + CLOSE.len()).max(start);
    Some(format!("{}{}", &text[..start], &text[end..]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::stored;
    use super::super::{Event, Stored};
    use super::*;

    fn event(json: &str) -> Event {
        let kind = serde_json::from_str::<Value>(json).ok().and_then(|pdu| Some(pdu["type"].as_str()?.to_owned()));
        let kind = kind.unwrap_or_else(|| "m.room.message".to_owned());
        Event::from_stored(&Stored { kind: &kind, room_version: Some("10"), ..stored(Some(json)) })
    }

    fn json_of(event: &Event) -> Value {
        serde_json::from_str(&event.line).unwrap()
    }

    #[test]
    fn what_is_pruned_keeps_its_skeleton_and_is_pruned_once() {
        let json = r#"{"type":"m.room.member","state_key":"@a:x","sender":"@a:x","origin_server_ts":1795348800000,"depth":7,
            "content":{"membership":"join","displayname":"secret"},"hashes":{"sha256":"x"},"signatures":{"x":{}},
            "synapse":"secret","unsigned":{"prev_content":{"displayname":"secret"}},"more":"secret"}"#;
        let whole = event(json);
        assert!(whole.line.contains("secret"));
        let pruned = whole.erase(Erased::Pruned).unwrap();
        assert!(!pruned.line.contains("secret"), "{}", pruned.line);
        let line = json_of(&pruned);
        assert_eq!(line["synapse"]["erased"], "pruned");
        assert_eq!((&line["content"], &line["depth"]), (&json!({"membership":"join"}), &json!(7)));
        assert_eq!((pruned.sender.as_deref(), pruned.day), (Some("@a:x"), whole.day));
        assert_eq!((pruned.erase(Erased::Pruned), pruned.erase(Erased::Cut)), (None, None));
        let read = Event::from_line(&pruned.line, &pruned.day.to_string()).unwrap();
        assert_eq!((read.erased, read.is_erased()), (Some(Erased::Pruned), true));
    }

    #[test]
    fn what_cannot_be_read_loses_its_text() {
        for json in ["secret", r#"{"type":"m.room.message","content":"secret"}"#, r#"{"content":{"a":"secret","a":1}}"#]
        {
            let pruned = event(json).erase(Erased::Pruned).unwrap();
            assert!(!pruned.line.contains("secret"), "{}", pruned.line);
            assert_eq!(pruned.erase(Erased::Pruned), None);
        }
    }

    #[test]
    fn a_redaction_that_is_pruned_redacts_all_the_same() {
        let json = r#"{"type":"m.room.redaction","redacts":"$of","content":{"reason":"secret"}}"#;
        let pruned = event(json).erase(Erased::Pruned).unwrap();
        assert!(!pruned.line.contains("$of") && !pruned.line.contains("secret"), "{}", pruned.line);
        assert_eq!((pruned.redacts.as_deref(), pruned.is_beyond_line), (Some("$of"), true));
    }

    #[test]
    fn a_reply_loses_what_it_quotes_and_nothing_else() {
        let answer = |content: Value| {
            let text = json!({ "type": "m.room.message", "content": content }).to_string();
            event(&text.replacen('{', r#"{ "number":1.0,"#, 1))
        };
        let relation = json!({ "m.in_reply_to": { "event_id": "$e" } });
        let whole = answer(json!({
            "body": "> <@a:x> secret\n> more secret\n\nmine", "formatted_body": "<MX-reply>secret</mx-REPLY><b>mine</b>",
            "org.matrix.msc1767.text": "> <@a:x> secret\n\nmine", "m.relates_to": relation,
        }));
        let cut = whole.erase(Erased::Cut).unwrap();
        assert!(!cut.line.contains("secret") && cut.line.contains(r#""number":1.0"#), "{}", cut.line);
        let content = &json_of(&cut)["content"];
        assert_eq!((&content["body"], &content["formatted_body"]), (&json!("mine"), &json!("<b>mine</b>")));
        assert_eq!((cut.replies_to.as_deref(), cut.said.as_deref()), (Some("$e"), Some("mine")));
        assert_eq!(cut.erase(Erased::Cut), None);
        assert_eq!(cut.erase(Erased::Pruned).unwrap().erased, Some(Erased::Pruned));
        // an edit of it, as some clients write one
        let new = json!({ "body": "> <@a:x> secret\n\nours" });
        let relation = json!({ "rel_type": "m.replace", "event_id": "$r" });
        let edit =
            answer(json!({ "body": "* > <@a:x> secret\n\nours", "m.new_content": new, "m.relates_to": relation }));
        let content = &json_of(&edit.erase(Erased::Cut).unwrap())["content"];
        assert_eq!((&content["body"], &content["m.new_content"]["body"]), (&json!("* ours"), &json!("ours")));
        // of what answers nothing, quotes are its own
        assert_eq!(answer(json!({ "body": "> <@a:x> mine\n\nmine" })).erase(Erased::Cut), None);
    }

    #[test]
    fn copies_in_unsigned_go_alone() {
        let text = r#"{"type":"m.room.topic","state_key":"","content":{"topic":"mine"},"unsigned":{"replaces_state":"$e","prev_content":{"topic":"secret"}}}"#;
        let whole = event(text);
        assert_eq!(whole.replaces_state().as_deref(), Some("$e"));
        let without = whole.erase(Erased::Copies).unwrap();
        assert!(!without.line.contains("secret") && without.line.contains("mine"), "{}", without.line);
        assert_eq!(json_of(&without)["unsigned"], json!({ "replaces_state": "$e" }));
        assert_eq!((without.erase(Erased::Copies), without.erase(Erased::Cut)), (None, None));
    }
}
