//! Three real servers, rendered whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};

use chrono::DateTime;
use flate2::read::GzDecoder;
use pulldown_cmark::{Event, Options, Parser};
use serde_json::Value;

use crate::support::archive::{TestArchive, json};
use crate::support::{Shape, cluster};

#[test]
fn every_room_day_of_three_real_servers_has_a_sound_transcript() {
    for (version, shape) in [("1.60.0", Shape::V1_60), ("1.90.0", Shape::V1_90), ("1.113.0", Shape::V1_90)] {
        let (database, archive) = (cluster().database("server", shape), TestArchive::new());
        database.load_server(version);
        archive.export(&database);
        assert_eq!(archive.render().to_string(), archive.one("select count(*) from file"), "{version}");
        for (path, text) in archive.transcripts().iter().filter(|(path, _)| path.strip_suffix(".md").is_some()) {
            for event in Parser::new_ext(text, Options::all()) {
                match event {
                    Event::Html(html) | Event::InlineHtml(html) => {
                        let own = [
                            "<a id=\"",
                            "</a>",
                            "<sub>",
                            "</sub>",
                            "<sup>",
                            "</sup>",
                            "<br",
                            "<details",
                            "</details",
                            "<summary>",
                            "</summary>",
                            "earlier",
                            "redacted original",
                        ];
                        let is_own = html.trim().is_empty() || own.iter().any(|own| html.trim_start().starts_with(own));
                        assert!(is_own, "{version}, {path}: {html}");
                    }
                    Event::Start(pulldown_cmark::Tag::Link { dest_url, .. }) => {
                        let known = ["#", "http://", "https://", "mailto:", "mxc://", "matrix:"];
                        let is_day = dest_url.split('#').next().is_some_and(|file| {
                            std::path::Path::new(file).extension().is_some_and(|extension| extension == "md")
                        });
                        assert!(
                            is_day || known.iter().any(|scheme| dest_url.starts_with(scheme)),
                            "{path}: {dest_url}"
                        );
                    }
                    Event::Start(pulldown_cmark::Tag::Image { .. }) => panic!("{version}, {path}: an image"),
                    _ => {}
                }
            }
            let visible =
                |c: char| matches!(c, '\n' | '\t') || !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c);
            assert!(text.chars().all(visible), "{version}, {path}: a hidden character");
        }
    }
}

#[test]
fn what_the_api_said_is_in_the_transcripts_and_nothing_that_was_redacted() {
    let (database, archive) = (cluster().database("server", Shape::V1_90), TestArchive::new());
    database.load_server("1.113.0");
    archive.export(&database);
    archive.render();
    let transcripts = archive.transcripts();
    let read: BTreeMap<&String, String> =
        transcripts.iter().map(|(path, text)| (path, letters(&visible(text)))).collect();

    let (mut bodies, mut secrets) = (0, 0);
    for truth in truth() {
        let event = &truth["event"];
        let content = &event["content"];
        let Some(body) = content["body"].as_str() else { continue };
        match truth["kind"].as_str().unwrap() {
            "event"
                if event["unsigned"]["redacted_by"].is_null()
                    && content["m.relates_to"]["rel_type"] != "m.replace"
                    && content["msgtype"] != "m.key.verification.request" =>
            {
                let day = DateTime::from_timestamp_millis(event["origin_server_ts"].as_i64().unwrap()).unwrap();
                let room = event["room_id"].as_str().unwrap().trim_start_matches('!').replacen(':', "@", 1);
                let path = format!("rooms/{room}/{}.md", day.format("%Y-%m-%d"));
                let day = &read[&path];
                let said = said(content, body);
                assert!(
                    said.iter().any(|said| day.contains(said)),
                    "{}: {said:?} is not in {path}:\n{day}",
                    event["event_id"]
                );
                bodies += 1;
            }
            // short ones, and what somebody else said too, prove nothing
            "unredacted" if letters(body).len() > 12 && content["m.relates_to"].is_null() => {
                for (path, day) in &read {
                    assert!(!day.contains(&letters(body)), "{} stands in {path}", event["event_id"]);
                }
                secrets += 1;
            }
            _ => {}
        }
    }
    assert!(
        bodies > 200 && secrets > 20,
        "{bodies} bodies and {secrets} secrets: the truth does not say what it should"
    );
}

/// What a reader may find of a message: its text, or that of its HTML, without the quote of an answer.
fn said(content: &Value, body: &str) -> Vec<String> {
    let is_reply = content["m.relates_to"]["m.in_reply_to"].is_object();
    let body = match body.split_once("\n\n") {
        Some((_, answer)) if is_reply && body.starts_with("> <") => answer,
        _ => body,
    };
    // the second: with hidden characters spelled
    let mut said = vec![letters(body), letters(&visible(&synapse_export::document::markdown::block(body)))];
    if let Some(html) = content["formatted_body"].as_str() {
        said.push(letters(&synapse_export::document::formatted::text(html, usize::MAX).unwrap_or_default()));
    }
    said
}

/// Letters and digits alone: how they are spaced and marked is for other tests.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// What a reader of the markdown sees.
fn visible(markdown: &str) -> String {
    let mut text = String::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::SoftBreak | Event::HardBreak => text.push('\n'),
            _ => {}
        }
    }
    text
}

fn truth() -> impl Iterator<Item = Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/servers/truth-1.113.0.jsonl.gz");
    let file = File::open(path).expect("there is test data");
    BufReader::new(GzDecoder::new(file)).lines().map(|line| json(&line.expect("it can be unpacked")))
}
