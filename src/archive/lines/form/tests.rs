use std::fs;
use std::path::PathBuf;

use super::*;

const DAY: &str = "rooms/r@x/2026-11-22.jsonl";

fn archive(plain: &str) -> (tempfile::TempDir, [PathBuf; 2]) {
    let archive = tempfile::tempdir().unwrap();
    fs::create_dir_all(archive.path().join("rooms/r@x")).unwrap();
    fs::write(archive.path().join(DAY), plain).unwrap();
    let paths = Form::BOTH.map(|form| archive.path().join(form.of(DAY)));
    (archive, paths)
}

fn said(archive: &Path) -> String {
    io::read_to_string(open(archive, DAY).unwrap().read_all().unwrap()).unwrap()
}

fn reformed(archive: &Path, length: usize, form: Form) -> Option<Reformed> {
    reform(archive, DAY, length as u64, form, Readers::Owner, &mut || Ok(())).unwrap()
}

#[test]
fn a_file_says_the_same_in_either_form_and_comes_back_as_it_was() {
    let lines = "{\"event_id\":\"$1\"}\n{}\n".repeat(40_000);
    let (archive, [plain, compressed]) = archive(&lines);
    let archive = archive.path();
    let done = reformed(archive, lines.len(), Form::Compressed).unwrap();
    assert!(!plain.exists() && done.before == lines.len() as u64 && done.after < done.before / 10);
    assert_eq!(fs::metadata(&compressed).unwrap().len(), done.after);
    assert!(said(archive) == lines && length(archive, DAY).unwrap() == Some(lines.len() as u64));
    assert!(form(archive, DAY).unwrap() == Form::Compressed && beginning(archive, DAY, 2).unwrap() == b"{\"");
    assert!(reformed(archive, lines.len(), Form::Compressed).is_none());
    assert!(reformed(archive, lines.len(), Form::Plain).is_some() && !compressed.exists());
    assert!(fs::read_to_string(&plain).unwrap() == lines && reformed(archive, lines.len(), Form::Plain).is_none());
    assert_eq!(durable::names(archive, "rooms/r@x").unwrap().len(), 1);
}

#[test]
fn wherever_it_is_cut_off_the_lines_are_there_and_the_next_run_completes_it() {
    let lines = "{}\n".repeat(1000);
    for (from, to) in [(Form::Plain, Form::Compressed), (Form::Compressed, Form::Plain)] {
        for at in 0..2 {
            let (archive, paths) = archive(&lines);
            let archive = archive.path();
            reformed(archive, lines.len(), from);
            let mut steps = 0;
            let mut step = || {
                steps += 1;
                if steps > at { Err(Error::Stopped) } else { Ok(()) }
            };
            assert!(reform(archive, DAY, lines.len() as u64, to, Readers::Owner, &mut step).is_err());
            assert_eq!(paths.iter().filter(|path| path.exists()).count(), 1 + at);
            // what a kill leaves that an error does not
            fs::write(archive.join(format!("rooms/r@x/.{}.new", to.of("2026-11-22.jsonl"))), "cut off").unwrap();
            assert!(said(archive) == lines && length(archive, DAY).unwrap() == Some(lines.len() as u64));
            reformed(archive, lines.len(), to);
            // where the compressed one counted already, to compress it again took only the other one away
            let _ = inside::remove(archive, &format!("rooms/r@x/.{}.new", to.of("2026-11-22.jsonl")));
            assert!(said(archive) == lines && form(archive, DAY).unwrap() == to, "{to:?} {at}");
            assert_eq!(durable::names(archive, "rooms/r@x").unwrap().len(), 1);
        }
    }
}

#[test]
fn of_two_forms_the_longer_one_counts_and_is_left() {
    for (plain_more, compressed_more) in [("", "{}\n"), ("{}\n", ""), ("", "")] {
        let (archive, [plain, compressed]) = archive(&format!("{{}}\n{compressed_more}"));
        let archive = archive.path();
        reformed(archive, 3 + compressed_more.len(), Form::Compressed);
        fs::write(&plain, format!("{{}}\n{plain_more}")).unwrap();
        let most = format!("{{}}\n{plain_more}{compressed_more}");
        assert_eq!((said(archive), length(archive, DAY).unwrap()), (most.clone(), Some(most.len() as u64)));
        settle(archive, DAY).unwrap();
        assert_eq!(said(archive), most);
        assert!(plain.exists() != compressed.exists());
        remove(archive, DAY).unwrap();
        assert!(!plain.exists() && !compressed.exists() && length(archive, DAY).unwrap().is_none());
    }
}

#[test]
fn what_another_program_compressed_is_refused_and_let_be() {
    let (archive, [plain, compressed]) = archive("{}\n");
    fs::remove_file(&plain).unwrap();
    for (by_others, named) in [(zstd::encode_all(&b"{}\n"[..], 3).unwrap(), "no table"), (Vec::new(), "no table")] {
        fs::write(&compressed, &by_others).unwrap();
        let error = check(archive.path(), DAY, Some(3)).unwrap_err();
        assert!(matches!(&error, Error::Changed { found, .. } if found.contains(named)), "{error}");
        assert!(open(archive.path(), DAY).is_err() && settle(archive.path(), DAY).is_err());
        assert_eq!(fs::read(&compressed).unwrap(), by_others);
    }
}

#[test]
fn a_line_without_an_end_is_not_compressed() {
    let (archive, [plain, compressed]) = archive("{}\n{}");
    let done = reform(archive.path(), DAY, 5, Form::Compressed, Readers::Owner, &mut || Ok(()));
    assert!(matches!(done, Err(Error::Io { .. })) && plain.exists() && !compressed.exists());
    assert_eq!(durable::names(archive.path(), "rooms/r@x").unwrap().len(), 1);
}
