//! Plain text, in every place where a transcript puts it.

use proptest::prelude::*;
use synapse_export::transcript::markdown::{block, code_block, code_span, excerpt, inline, link};

use crate::read::read;

/// Texts full of what markdown, HTML and GitHub's extensions give a meaning to; nothing hidden, none blank.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        6 => "[ \\\\*_~`\\[\\]()<>&|$#:.!+=^{}@'\"/;,?%0-9-]",
        3 => "[a-zA-Z0-9]{1,3}",
        2 => Just(" ".to_owned()),
        1 => Just("\n".to_owned()),
        1 => prop::sample::select(vec![
            "\n\n", "  \n", "\t", "    ", "\r\n", "---", "***", "___", "===", "```", "~~~", "# ", "- ", "* ", "1. ", "12) ", "> ",
            "<1@b.c>", "@b.c>", "<3", "<b>", "</b>", "<!--", "-->", "<https://a.b>", "<details>", "<script>", "<![CDATA[", "<?", "&lt;", "&#60;", "&copy",
            "[x](y)", "[x]: y", "[^1]", "[^1]: ", "![x](y)", "[ ] ", "[x] ", "[WARN] ", "[[a]]", "|---|", "| a | b |", ":-",
            "--- | ---", "https://example.org/a_b", "https://a.b/c$d^e", "(see https://a.b/(c)).", "http://", "www.example.org", "mailto:", "ftp://a.b", "$$", "a$b$c", "$`",
            "~~a~~", "**a**", "*a*", "_a_", "__a__", "a_b", "`a`", "``a``", "é", "“", "”", "—", "🎉", "\u{a0}", "\u{3000}",
            "\u{2028}", "中", "Ⓐ", "€", "\\\n", "> [!NOTE]\n", ": ", "+++",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(pieces, 1..24)
        .prop_map(|pieces| pieces.concat())
        .prop_map(|text| if text.trim().is_empty() { "x".to_owned() } else { text })
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is read of a frame's markdown is what is read with a word in the text's place, but for the text.
fn check_inline(frame: &str, text: &str) -> Result<(), TestCaseError> {
    let markdown = frame.replace("{}", &inline(text));
    let model = read(&frame.replace("{}", "q0q"));
    for (found, model) in read(&markdown).iter().zip(model) {
        prop_assert_eq!(found, &collapsed(&model.replace("q0q", &collapsed(text))), "{}", markdown);
    }
    Ok(())
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

/// The lines of a block as a parser reads them, links of web addresses to themselves taken out.
fn without_own_links(read: &str) -> String {
    let mut out = String::new();
    let mut rest = read;
    while let Some(at) = rest.find("⟦a http") {
        let (before, link) = rest.split_at(at);
        out.push_str(before);
        let (_, link) = link.split_once('⟧').expect("what is opened is closed");
        rest = link;
    }
    out.push_str(rest);
    out.replace("⟦/a⟧", "")
}

fn check_block(text: &str) -> Result<(), TestCaseError> {
    let markdown = block(text);
    let expected: String = text.split_whitespace().collect();
    for (prefix, suffix) in
        [("", ""), ("prefix\n\n", "\n\nsuffix"), ("> quote\n\n", "\n\n- list"), ("<details>\n\n", "\n\n</details>")]
    {
        let document = format!("{prefix}{markdown}{suffix}");
        let around = read(&format!("{prefix}q0q{suffix}"));
        for (found, around) in read(&document).iter().zip(around) {
            let (before, after) = around.split_once("⟦p⟧ q0q ⟦/p⟧").expect("it is a paragraph");
            prop_assert!(found.starts_with(before) && found.ends_with(after), "{found}\n{document}");
            let found = without_own_links(&found[before.len()..found.len() - after.len()]);
            let found: String =
                found.replace("⟦p⟧", "").replace("⟦/p⟧", "").replace("⟦br⟧", "").split_whitespace().collect();
            prop_assert_eq!(&found, &expected, "{}", document);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(512), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inline_is_its_text_wherever_it_stands(text in text()) {
        for frame in FRAMES {
            check_inline(frame, &text)?;
        }
    }

    #[test]
    fn inline_in_raw_html_is_no_html(text in text()) {
        let out = inline(&text);
        let begins_tag = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
        prop_assert!(!out.split('<').skip(1).any(begins_tag) && !out.ends_with('<'), "{out}");
        prop_assert!(!out.contains('\n'));
    }

    #[test]
    fn block_is_its_text_as_paragraphs(text in text()) {
        check_block(&text)?;
    }

    #[test]
    fn anything_is_inert(text in any::<String>(), chars in 0..40_usize) {
        for c in inline(&text).chars().chain(excerpt(&text, chars).chars()) {
            let hides = c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            prop_assert!(!hides);
        }
        if !text.trim().is_empty() && text.chars().all(|c| !c.is_control()) {
            let found = read(&format!("prefix\n\n{}\n\nsuffix", block(&text)));
            for found in found {
                prop_assert!(found.starts_with("⟦p⟧ prefix ⟦/p⟧ ⟦p⟧") && found.ends_with("⟦/p⟧ ⟦p⟧ suffix ⟦/p⟧"), "{found}");
            }
        }
    }

    #[test]
    fn code_is_its_text(text in text()) {
        for found in read(&format!("x {} y", code_span(&text))) {
            let found: String = found.split_whitespace().collect();
            let expected: String = text.split_whitespace().collect();
            prop_assert_eq!(found, format!("⟦p⟧x⟦code⟧{}⟦/code⟧y⟦/p⟧", expected));
        }
        for found in read(&format!("before\n\n{}\n\nafter", code_block(&text, Some("rust")))) {
            prop_assert_eq!(found, format!("⟦p⟧ before ⟦/p⟧ ⟦pre rust⟧ {} ⟦/pre⟧ ⟦p⟧ after ⟦/p⟧", collapsed(&text)));
        }
    }

    #[test]
    fn a_link_is_one_or_none(text in text(), target in text(), scheme in "(https?|MAILTO|matrix|mxc|javascript|data|vbscript|file|):(//)?") {
        let out = link(&inline(&text), &format!("{scheme}{target}"));
        let is_ours = ["http", "https", "mailto", "matrix", "mxc"].contains(&scheme.split(':').next().unwrap().to_lowercase().as_str());
        for found in read(&format!("x {out} y")) {
            let links = found.matches("⟦a ").count();
            let end = if is_ours && links == 1 { "⟦/a⟧ y ⟦/p⟧" } else { " y ⟦/p⟧" };
            prop_assert!(links <= usize::from(is_ours) && found.starts_with("⟦p⟧ x ") && found.ends_with(end), "{found}\n{out}");
            if links == 1 {
                let (before, rest) = found.split_once("⟦a ").expect("there is one");
                prop_assert_eq!(before, "⟦p⟧ x ");
                prop_assert_eq!(rest.split_once('⟧').expect("what is opened is closed").1, format!("{}{end}", collapsed(&text)));
            }
        }
    }
}

pub(crate) fn cases(committed: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(committed)
}
