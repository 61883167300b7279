//! Plain text, in every place where a transcript puts it.

use proptest::prelude::*;
use synapse_export::document::markdown::{block, excerpt, inline, yaml};

use crate::oracles::{check_block, check_code, check_inline, check_link};
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

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(512), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inline_is_its_text_wherever_it_stands(text in text()) {
        check_inline(&text).map_err(TestCaseError::fail)?;
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
        check_block(&text).map_err(TestCaseError::fail)?;
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
    fn front_matter_is_text_where_it_is_no_front_matter(text in text()) {
        // web and mail addresses become links to themselves
        prop_assume!(!text.contains("://") && !text.contains("www.") && !text.contains('@') && !text.contains("mailto:"));
        let marks = |scalar: &str| read(&format!("# x\n\n---\nroom: {scalar}\nname: {scalar}\n---\n")).map(|found| {
            let marks = found.split('⟦').skip(1).map(|mark| mark.split('⟧').next().unwrap_or_default().to_owned());
            marks.collect::<Vec<_>>().join(" ")
        });
        prop_assert_eq!(marks(&yaml(&text)), marks("\"x\""), "{}", yaml(&text));
    }

    #[test]
    fn code_is_its_text(text in text()) {
        check_code(&text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_link_is_one_or_none(text in text(), target in text(), scheme in "(https?|MAILTO|matrix|mxc|javascript|data|vbscript|file|):(//)?") {
        check_link(&text, &format!("{scheme}{target}")).map_err(TestCaseError::fail)?;
    }
}

pub(crate) fn cases(committed: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(committed)
}
