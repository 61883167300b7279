//! Contents of messages, whatever is in them.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::oracles::check_message;
use crate::text::{cases, text};

/// A content in which any member may be of any type.
fn content() -> impl Strategy<Value = String> {
    let keys = prop::sample::select(vec![
        "msgtype",
        "body",
        "format",
        "formatted_body",
        "filename",
        "url",
        "file",
        "info",
        "geo_uri",
        "m.text",
        "m.voice",
        "m.relates_to",
        "org.matrix.msc1767.text",
        "w",
        "h",
        "size",
        "duration",
        "mimetype",
    ]);
    let known = prop::sample::select(vec![
        "m.text",
        "m.notice",
        "m.emote",
        "m.image",
        "m.file",
        "m.audio",
        "m.video",
        "m.location",
        "org.matrix.custom.html",
        "mxc://a.b/c",
        "image/png",
        "text/html",
        "<b>x</b>",
    ]);
    let value = prop_oneof![
        4 => text().prop_map(Value::String),
        4 => known.prop_map(|text| json!(text)),
        1 => any::<f64>().prop_map(|n| json!(n)),
        1 => any::<i64>().prop_map(|n| json!(n)),
        1 => Just(Value::Null),
    ];
    let value = value.prop_recursive(3, 12, 4, {
        let keys = keys.clone();
        move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                prop::collection::vec((keys.clone(), inner), 0..5)
                    .prop_map(|members| members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ]
        }
    });
    let msgtype = prop::sample::select(vec!["m.text", "m.image", "m.file", "m.audio", "m.video", "m.location", "*x*"]);
    let usual = (msgtype, text(), text(), text(), text()).prop_map(|(msgtype, body, filename, html, mimetype)| {
        json!({
            "msgtype": msgtype, "body": body, "filename": filename, "url": "mxc://a.b/c", "geo_uri": filename,
            "format": "org.matrix.custom.html", "formatted_body": html, "info": {"mimetype": mimetype, "w": 1, "h": 2},
        })
    });
    prop_oneof![
        3 => prop::collection::vec((keys, value), 0..8).prop_map(|members| {
            // keys may come twice
            let members: Vec<_> = members.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
            format!("{{{}}}", members.join(","))
        }),
        3 => usual.prop_map(|content| content.to_string()),
        1 => text(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(512), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_content_is_harmless(content in content(), kind in "m.room.message|m.sticker", is_reply: bool, name in text()) {
        check_message(&kind, &content, is_reply, &name).map_err(TestCaseError::fail)?;
    }
}
