//! What must hold of the transcript's markdown as two parsers read it, whatever the text: also for `tests/fuzz`.

use synapse_export::document::markdown::{block, blocks, code_block, code_span, emote, in_short, inline, link};
use synapse_export::document::message::Message;

use super::read::read;

/// Fails with what was found and all that is needed to see why.
macro_rules! ensure {
    ($holds:expr, $($about:expr),+) => {
        if !$holds {
            return Err([$(format!("{:?}", $about)),+].join("\n"));
        }
    };
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_space(text: &str) -> String {
    text.split_whitespace().collect()
}

const FRAMES: [&str; 9] = [
    "before {} after",
    "{}",
    "x [{}](https://example.org/) y",
    "x **{}** y",
    "x *{}* y",
    "a | b\n---|---\n{} | z\n{} | {}",
    "> {}\n\nafter",
    "- {}\n- {}",
    "<details><summary>s</summary>\n\n{}\n\n</details>",
];

/// What is read of a frame's markdown is what is read with a word in the text's place, but for the text.
pub(crate) fn check_inline(text: &str) -> Result<(), String> {
    for frame in FRAMES {
        let markdown = frame.replace("{}", &inline(text));
        let model = read(&frame.replace("{}", "q0q"));
        for (found, model) in read(&markdown).iter().zip(model) {
            let expected = collapsed(&model.replace("q0q", &collapsed(text)));
            ensure!(*found == expected, found, expected, markdown);
        }
    }
    Ok(())
}

/// The lines of a block as a parser reads them, links of web addresses to themselves taken out.
fn without_own_links(read: &str) -> String {
    let mut out = String::new();
    let mut rest = read;
    while let Some((before, link)) = rest.split_once("⟦a ") {
        out.push_str(before);
        let (target, after) = link.split_once('⟧').expect("what is opened is closed");
        if !target.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) {
            out.extend(["⟦a ", target, "⟧"]);
        }
        rest = after;
    }
    out.push_str(rest);
    out.replace("⟦/a⟧", "")
}

/// A block is its text as paragraphs, and leaves alone what is around it.
pub(crate) fn check_block(text: &str) -> Result<(), String> {
    let markdown = block(text);
    let expected = without_space(text);
    for (prefix, suffix) in
        [("", ""), ("prefix\n\n", "\n\nsuffix"), ("> quote\n\n", "\n\n- list"), ("<details>\n\n", "\n\n</details>")]
    {
        let document = format!("{prefix}{markdown}{suffix}");
        let around = read(&format!("{prefix}q0q{suffix}"));
        for (found, around) in read(&document).iter().zip(around) {
            let (before, after) = around.split_once("⟦p⟧ q0q ⟦/p⟧").expect("it is a paragraph");
            ensure!(found.starts_with(before) && found.ends_with(after), found, document);
            let found = without_own_links(&found[before.len()..found.len() - after.len()]);
            let found = without_space(&found.replace("⟦p⟧", "").replace("⟦/p⟧", "").replace("⟦br⟧", ""));
            ensure!(found == expected, found, expected, document);
        }
    }
    Ok(())
}

/// Code is its text and ends where it should.
pub(crate) fn check_code(text: &str) -> Result<(), String> {
    let document = format!("x {} y", code_span(text));
    // parsers know no longer fence
    let (begin, end) = if text.contains(&"`".repeat(80)) { ("", "") } else { ("⟦code⟧", "⟦/code⟧") };
    for found in read(&document) {
        let expected = format!("⟦p⟧x{begin}{}{end}y⟦/p⟧", without_space(text));
        ensure!(without_space(&found) == expected, found, expected, document);
    }
    let document = format!("before\n\n{}\n\nafter", code_block(text, Some("rust")));
    for found in read(&document) {
        let expected = format!("⟦p⟧ before ⟦/p⟧ ⟦pre rust⟧ {} ⟦/pre⟧ ⟦p⟧ after ⟦/p⟧", collapsed(text));
        ensure!(found == collapsed(&expected), found, expected, document);
    }
    Ok(())
}

/// A link is one with this text, or none; none unless its scheme is one of ours.
pub(crate) fn check_link(text: &str, target: &str) -> Result<(), String> {
    let document = format!("x {} y", link(&inline(text), target));
    // as browsers read it
    let scheme = target.trim_matches(|c: char| c <= ' ').replace(['\t', '\n', '\r'], "");
    let scheme = scheme.split(':').next().unwrap_or_default().to_lowercase();
    let is_ours = ["http", "https", "mailto", "matrix", "mxc"].contains(&&*scheme);
    for found in read(&document) {
        let links = found.matches("⟦a ").count();
        let end = if is_ours && links == 1 { "⟦/a⟧ y ⟦/p⟧" } else { " y ⟦/p⟧" };
        let stays = links <= usize::from(is_ours) && found.starts_with("⟦p⟧ x ") && found.ends_with(end);
        ensure!(stays, found, document);
        if links == 1 {
            let (before, rest) = found.split_once("⟦a ").expect("there is one");
            let (_, shown) = rest.split_once('⟧').expect("what is opened is closed");
            ensure!(before == "⟦p⟧ x " && shown == format!("{}{end}", collapsed(text)), found, document);
        }
    }
    Ok(())
}

/// The markdown between other paragraphs: they stay what they are, no HTML but ours, no other links than allowed. Returns
/// what the parsers read of it.
pub(crate) fn check_frame(markdown: &str) -> Result<[String; 2], String> {
    let document = format!("prefix\n\n{markdown}\n\nsuffix");
    let mut inner = read(&document);
    for found in &mut inner {
        let rest = found.strip_prefix("⟦p⟧ prefix ⟦/p⟧").and_then(|rest| rest.strip_suffix("⟦p⟧ suffix ⟦/p⟧"));
        ensure!(rest.is_some(), found, document);
        for html in found.split("⟦html⟧").skip(1) {
            let html = html.split_once("⟦/html⟧").expect("what is opened is closed").0;
            ensure!(["<sup>", "</sup>", "<sub>", "</sub>", "<br>"].contains(&html), html, document);
        }
        check_links(found).map_err(|link| format!("{link}\n{document:?}"))?;
        let strange =
            ["Image", "Math", "Footnote", "Alert", "Task"].iter().find(|name| found.contains(&format!("⟦{name}")));
        ensure!(strange.is_none(), strange, found, document);
        *found = rest.unwrap_or_default().trim().to_owned();
    }
    Ok(inner)
}

fn check_links(found: &str) -> Result<(), String> {
    for link in found.split("⟦a ").skip(1) {
        let scheme = link.split_once(':').unwrap_or_default().0.to_lowercase();
        ensure!(["http", "https", "mailto", "matrix", "mxc"].contains(&&*scheme), link);
    }
    Ok(())
}

/// A message stays in its place, as blocks, as what its sender does, and as a link's text.
pub(crate) fn check_message(kind: &str, content: &str, is_reply: bool, name: &str) -> Result<(), String> {
    let message = Message::of(kind, content, is_reply);
    let body = blocks(&message);
    ensure!(!body.is_empty(), "nothing");
    check_frame(&body)?;
    check_frame(&emote(&message, &inline(name)))?;
    let line = in_short(&message, 40);
    ensure!(!line.contains('\n'), line);
    for found in read(&format!("x [{line}](https://a.b/c) y")) {
        let stays = found.starts_with("⟦p⟧ x ⟦a https://a.b/c⟧") && found.ends_with("⟦/a⟧ y ⟦/p⟧");
        ensure!(stays && found.matches('⟦').count() == 4, found, line);
    }
    Ok(())
}
