//! Long and deep texts: none costs more than about its length, and none overflows the stack.

use std::time::{Duration, Instant};

use synapse_export::document::formatted;
use synapse_export::document::html;
use synapse_export::document::markdown::{block, blocks, code_block, code_span, excerpt, in_short, inline, link, yaml};
use synapse_export::document::message::Message;
use synapse_export::event::{Event, Object};

use super::Fields;
use super::event::stored;

/// How long a text is made. The longest stored events are twice that.
const BYTES: usize = 100_000;
/// Far more than it takes when it grows with the length, without optimisation and on a busy machine, and far less than when
/// it grows with its square.
const LONGEST: Duration = Duration::from_secs(3);

/// What is repeated at the beginning, once in the middle, and as often at the end.
pub(super) fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let [begin, middle, end] = ["", "", ""].map(|default| fields.text_or(default));
    let times = BYTES / (begin.len() + end.len()).max(1);
    let text = format!("{}{middle}{}", begin.repeat(times), end.repeat(times));
    let quoted = serde_json::Value::from(text.as_str()).to_string();
    let costs: [(&str, &dyn Fn()); 10] = [
        ("from_html", &|| {
            let markdown = formatted::from_html(&text).unwrap_or_default();
            assert!(markdown.len() < 4_000 + 60 * text.len(), "{} bytes of markdown", markdown.len());
        }),
        ("html", &|| {
            let body = html::body::from_html(&text).unwrap_or_default();
            assert!(body.len() < 4_000 + 60 * text.len(), "{} bytes of HTML", body.len());
        }),
        ("escaped", &|| drop(html::escaped(&text))),
        ("text", &|| drop(formatted::text(&text, 200))),
        ("inline", &|| drop((inline(&text), excerpt(&text, 200), yaml(&text)))),
        ("block", &|| drop(block(&text))),
        ("code", &|| drop((code_span(&text), code_block(&text, None)))),
        ("link", &|| drop((link("x", &text), link("x", &format!("https://{text}"))))),
        ("body", &|| {
            for content in [
                &text,
                &format!(r#"{{"body":{quoted}}}"#),
                &format!(r#"{{"m.relates_to":{{"m.in_reply_to":{{}}}},"body":{quoted}}}"#),
            ] {
                drop((
                    blocks(&Message::of("m.room.message", content, true)),
                    in_short(&Message::of("m.sticker", content, true), 80),
                ));
            }
        }),
        ("from_stored", &|| {
            for pdu in [&text, &format!(r#"{{"content":{quoted}}}"#), &format!(r#"{{"synapse":1,"content":{text}}}"#)] {
                let event = Event::from_stored(&stored(pdu));
                let _ = (
                    Event::from_line(&event.line, "2026-11-22").is_ok(),
                    event.honouring(None),
                    Object::of(pdu).texts("content"),
                );
            }
        }),
    ];
    for (what, cost) in costs {
        let start = Instant::now();
        cost();
        let took = start.elapsed();
        assert!(took < LONGEST, "{what} took {took:?} with {begin:?} × {times} {middle:?} {end:?} × {times}");
    }
}
