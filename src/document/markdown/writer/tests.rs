use super::super::super::block::{Edited, Quote, Saying};
use super::super::super::line::{Anchor, When};
use super::super::super::message::Message;
use super::super::super::time::Zone;
use super::*;

const PLACE: &str = "<a id=\"AAAAAAAAAAAA\"></a>00:00";

fn anchor() -> Anchor {
    Anchor::of(&format!("${}", "A".repeat(43)))
}

fn said(content: &str, goes_on: bool) -> Said<'_> {
    let head = Head {
        sender: None,
        name: Name::new("Car*l*", None),
        avatar: None,
        goes_on,
        anchor: anchor(),
        at: When::here(Some(0), Zone::default()),
        encrypted: None,
    };
    let saying = Saying::Message(Message::of("m.room.message", content, false));
    Said { head, thread: None, quote: None, saying, edited: None }
}

#[track_caller]
fn check(block: &Block<'_>, markdown: &str) {
    let mut out = Vec::new();
    Markdown::to(&mut out).write(block).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), format!("{markdown}\n\n"));
}

#[test]
fn what_is_said_stands_behind_the_time_where_that_is_read_as_one() {
    let text = r#"{"body":"hello"}"#;
    check(&Block::Said(said(text, true)), &format!("{PLACE} · hello"));
    check(&Block::Said(said(text, false)), &format!("**Car\\*l\\*** · {PLACE}\n\nhello"));
    let notice = r#"{"msgtype":"m.notice","body":"hello"}"#;
    check(&Block::Said(said(notice, true)), &format!("{PLACE} · *notice* · hello"));
    check(&Block::Said(said(notice, false)), &format!("**Car\\*l\\*** · {PLACE} · *notice*\n\nhello"));
    let code = r#"{"format":"org.matrix.custom.html","formatted_body":"<pre>x</pre>"}"#;
    check(&Block::Said(said(code, true)), &format!("{PLACE}\n\n```\nx\n```"));
    let edited = Some(Edited { at: When::from(Some(60_000), None, Zone::default()), times: 2 });
    let mark = "*(edited 1970-01-01 00:01, 2×)*";
    check(&Block::Said(Said { edited, ..said(text, true) }), &format!("{PLACE} · hello {mark}"));
    check(&Block::Said(Said { edited, ..said(code, true) }), &format!("{PLACE}\n\n```\nx\n```\n\n{mark}"));
}

#[test]
fn what_it_answers_stands_before_it() {
    let address = Address { day: Some("1970-01-02".to_owned()), anchor: anchor(), is_left_out: false };
    let (name, day) = (Name::new("Bob", Some("@b:x")), Some("1970-01-02".to_owned()));
    let said_there = vec![Span::words("poll: "), Span::Text("[x](y)".to_owned())];
    let quote = Quote::Of { name, day, at: When::here(None, Zone::default()), said: said_there, address };
    let quoted = "> [Bob (@b:x) 1970-01-02 --:--](1970-01-02.md#AAAAAAAAAAAA): poll: \\[x\\](y)";
    let of = Said { quote: Some(quote), ..said(r#"{"body":"hello"}"#, true) };
    check(&Block::Said(of), &format!("{PLACE}\n\n{quoted}\n\nhello"));
}

#[test]
fn what_was_made_of_it_stands_on_one_line() {
    let reaction = |key: &str, count, names: &[&str]| {
        let names = names.iter().map(|name| Name::new(name, None)).collect();
        Reaction { key: Some(key.to_owned()).filter(|key| !key.is_empty()), picture: None, count, names }
    };
    let reactions = vec![reaction("👍", 5, &["Ann", "Bob"]), reaction("|", 1, &["Ann"]), reaction("", 1, &["Bob"])];
    let thread = Some((1, Address { day: None, anchor: anchor(), is_left_out: false }));
    check(&Block::Made(Responses { other_reactions: 1, ..Responses::default() }), "1 other reaction");
    let made = Responses { reactions, other_reactions: 2, thread };
    let line = "👍 5 (Ann, Bob and 3 others) · \\| Ann · a custom emoji Bob · 2 other reactions";
    check(&Block::Made(made), &format!("{line} · [thread: 1 reply](#AAAAAAAAAAAA)"));
}
