//! What strangers write, as markdown.

use synapse_export::document::formatted;
use synapse_export::document::html;
use synapse_export::document::markdown::{block, excerpt, inline, yaml};
use synapse_export::document::media::FileDisplay;
use synapse_export::document::message::{FileLink, Message};
use synapse_export::event::media::EncryptedFile;

use super::oracles::{check_block, check_code, check_frame, check_inline, check_link, check_message};
use super::tree::{A_FILE, check_body};
use super::{Fields, shows_marks};

/// A text, which is a name, a body, HTML or a message's whole content; then a name and a link's target.
pub(super) fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let (content, name, target) = (fields.text_or(""), fields.text_or("Alice"), fields.text_or("https://a.b/"));
    if [&content, &name, &target].iter().any(|text| shows_marks(text)) {
        return;
    }
    let verdict = check_content(&content, &name).and_then(|()| check_text(&content, &name, &target));
    if let Err(fault) = verdict {
        panic!("{fault}");
    }
}

fn check_content(content: &str, name: &str) -> Result<(), String> {
    if let Some(markdown) = formatted::from_html(content) {
        check_frame(&markdown)?;
    }
    if let Some(body) = html::body::from_html(content) {
        check_body(&body)?;
    }
    check_body(&html::escaped(content))?;
    let parts = serde_json::Value::from(content);
    let formatted = format!(r#"{{"format":"org.matrix.custom.html","formatted_body":{parts},"body":{parts}}}"#);
    let file =
        format!(r#"{{"msgtype":"m.image","filename":{parts},"body":{},"url":{parts}}}"#, serde_json::Value::from(name));
    let here = format!(r#"{{"msgtype":"m.file","filename":{parts},"info":{{"w":9,"h":{parts}}},"url":"mxc://a.b/c"}}"#);
    for content in [content, &formatted, &file, &here] {
        for kind in ["m.room.message", "m.sticker"] {
            let is_reply = kind.len() % 2 == name.len() % 2;
            check_message(kind, content, is_reply, name)?;
            let mut message = Message::of(kind, content, is_reply);
            check_body(&html::message(&message, &html::escaped(name)))?;
            // and with all its files at hand, however they are shown
            for shown in [FileDisplay::Picture, FileDisplay::Video, FileDisplay::Audio, FileDisplay::Link] {
                let mut find = |_: &str, _: Option<&EncryptedFile>| {
                    Ok(Some(FileLink { path: A_FILE.to_owned(), shown, bytes: 1 }))
                };
                message.find_files::<String>(&mut find)?;
                check_body(&html::message(&message, &html::escaped(name)))?;
            }
        }
    }
    Ok(())
}

fn check_text(text: &str, name: &str, target: &str) -> Result<(), String> {
    if !yaml(text).lines().eq([yaml(text).as_str()]) || serde_json::from_str::<String>(&yaml(text)).is_err() {
        return Err(format!("{text:?} in YAML is {}", yaml(text)));
    }
    for line in [inline(text), excerpt(text, name.len())] {
        if line.contains(|c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)) {
            return Err(format!("{text:?} is {line:?}"));
        }
    }
    check_frame(&block(text)).map(drop).or_else(|fault| if block(text).is_empty() { Ok(()) } else { Err(fault) })?;
    // what hides is spelled out, and then the text is another one
    let shows = |c: char| c == '\n' || c.is_alphanumeric() || (' '..='~').contains(&c);
    if text.chars().all(shows) && !text.trim().is_empty() {
        check_inline(text)?;
        check_block(text)?;
        check_code(text)?;
        check_link(text, target)?;
    }
    Ok(())
}
