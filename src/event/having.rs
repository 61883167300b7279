//! What a message has beside its text: a file, and whom it mentions (client-server specification, "User and room mentions"). Never the
//! content of a file.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::object::members;
use super::{Object, scan};

/// How many mentions of a message count.
const MENTIONS: usize = 100;
/// What links to users begin with, as clients made them before there was `m.mentions`.
const PILL: &str = "matrix.to/#/";

/// The values that tell it, as JSON.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Having<'a> {
    pub(super) msgtype: Option<&'a str>,
    pub(super) formatted_body: Option<&'a str>,
    pub(super) mentions: Option<&'a str>,
}

impl Having<'_> {
    /// `image @alice:a.example @room`; none: there is nothing.
    pub(super) fn words(&self) -> Option<String> {
        let mut has = String::new();
        let mut add = |word: &str| {
            if !has.is_empty() {
                has.push(' ');
            }
            has.push_str(word);
        };
        match self.msgtype {
            Some("\"m.image\"") => add("image"),
            Some("\"m.video\"") => add("video"),
            Some("\"m.file\"") => add("file"),
            Some("\"m.audio\"") => add("audio"),
            _ => {}
        }
        let mut users: Vec<Cow<'_, str>> = Vec::new();
        let mut mention = |user: Cow<'_, str>| {
            let is_id =
                user.starts_with('@') && user.contains(':') && user.len() <= 255 && !user.contains(char::is_whitespace);
            if is_id && users.len() < MENTIONS && !users.contains(&user) {
                users.push(Cow::Owned(user.into_owned()));
            }
        };
        let mut whole_room = false;
        if let Some(mentions) = self.mentions {
            Object::of(mentions).texts("user_ids").into_iter().for_each(&mut mention);
            whole_room = members(mentions).iter().any(|(key, value)| key == "room" && value.get() == "true");
        } else if let Some(html) = self.formatted_body.filter(|html| html.contains(PILL)).and_then(scan::text) {
            for pill in html.split(PILL).skip(1).take(MENTIONS) {
                let end = pill.find(['"', '\'', '<', '>', '?', ' ']).unwrap_or(pill.len());
                mention(percent_decode_str(&pill[..end]).decode_utf8_lossy());
            }
        }
        for user in &users {
            add(user);
        }
        if whole_room {
            add("@room");
        }
        (!has.is_empty()).then_some(has)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[track_caller]
    fn check(content: &str, expected: Option<&str>) {
        let content = Object::of(content);
        let value = |key| content.get(key).map(RawValue::get);
        let (msgtype, formatted_body) = (value("msgtype"), value("formatted_body"));
        let having = Having { msgtype, formatted_body, mentions: value("m.mentions") };
        assert_eq!(having.words().as_deref(), expected);
    }

    #[test]
    fn files_and_mentions_are_told() {
        check(r#"{"msgtype":"m.text"}"#, None);
        check(r#"{"msgtype":"m.image"}"#, Some("image"));
        check(r#"{"m.mentions":{"user_ids":["@a:x","@a:x","b","@c:x"],"room":true}}"#, Some("@a:x @c:x @room"));
        check(r#"{"m.mentions":{"user_ids":"@a:x"},"msgtype":"m.file"}"#, Some("file"));
        check(r#"{"m.mentions":[]}"#, None);
        let pill = r#"{"formatted_body":"<a href=\"https://matrix.to/#/@a:x\">A</a> <a href='https://matrix.to/#/%40b:x?via=x'>B</a> https://matrix.to/#/#r:x"}"#;
        check(pill, Some("@a:x @b:x"));
        // who has `m.mentions` says all of it there
        check(r#"{"m.mentions":{},"formatted_body":"https://matrix.to/#/@a:x"}"#, None);
    }

    #[test]
    fn of_many_mentions_the_first_count() {
        let ids: Vec<String> = (0..300).map(|n| format!("\"@u{n}:x\"")).collect();
        let mentions = format!("{{\"user_ids\":[{}]}}", ids.join(","));
        let having = Having { mentions: Some(&mentions), ..Having::default() };
        assert_eq!(having.words().unwrap().split(' ').count(), MENTIONS);
    }
}
