//! A server that lies: however much it says, little of it is taken in, and the reason is told.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::connect;

/// More than any of these servers may say: so much is harmless if it is taken in all the same.
const ENOUGH: usize = 24 << 20;

/// A message of PostgreSQL's.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind][..], &length, body].concat()
}

/// What a server says once it lets a user in: authenticated, and ready.
fn let_in() -> Vec<u8> {
    [message(b'R', &[0, 0, 0, 0]), message(b'Z', b"I")].concat()
}

/// Speaks to whoever comes: first, then again and again; returns the address, and how much was said.
fn server(first: Vec<u8>, wait_for_question: bool, again: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&said);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // whoever has heard enough hangs up
            let _ = speak(&mut stream.unwrap(), &first, wait_for_question, &again, &count);
        }
    });
    (format!("host=127.0.0.1 port={port} user=u connect_timeout=10 sslmode=disable"), said)
}

fn speak(
    stream: &mut TcpStream,
    first: &[u8],
    wait_for_question: bool,
    again: &[u8],
    said: &AtomicUsize,
) -> std::io::Result<()> {
    hear(stream)?;
    stream.write_all(first)?;
    if wait_for_question {
        hear(stream)?;
    }
    while !again.is_empty() && said.fetch_add(again.len(), Ordering::Relaxed) < ENOUGH {
        stream.write_all(again)?;
    }
    // then silent
    hear(stream).map(drop)
}

/// What a client says next; an error when it has hung up.
fn hear(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut heard = vec![0; 1 << 16];
    let count = stream.read(&mut heard)?;
    heard.truncate(count);
    if heard.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(heard) }
}

/// Tries to connect; the error has to come at once, and to say this.
#[track_caller]
fn refused(dsn: &str, reason: &str) {
    let begun = Instant::now();
    let error = connect(dsn, &[]).err().unwrap();
    assert!(error.contains(reason), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn endless_notices_before_the_login_are_not_listened_to() {
    let notice = message(b'N', format!("SNOTICE\0C00000\0M{}\0\0", "x".repeat(8000)).as_bytes());
    let setting = message(b'S', format!("name\0{}\0", "x".repeat(8000)).as_bytes());
    for endless in [notice, setting] {
        let (dsn, said) = server(message(b'R', &[0; 4]), false, endless);
        refused(&dsn, "before it lets anybody in");
        // what is on its way in the sockets' buffers comes on top
        assert!(said.load(Ordering::Relaxed) < ENOUGH, "{said:?}");
    }
}

#[test]
fn an_endless_answer_to_a_small_question_is_not_listened_to() {
    let column =
        [b"setting\0".as_slice(), &[0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]].concat();
    let description = message(b'T', &[&[0, 1][..], &column].concat());
    let value = "1".repeat(8000);
    let row = [&[0, 1][..], &u32::try_from(value.len()).unwrap().to_be_bytes(), value.as_bytes()].concat();
    let (dsn, said) = server(let_in(), true, [description, message(b'D', &row)].concat());
    refused(&dsn, "to a question about itself");
    assert!(said.load(Ordering::Relaxed) < ENOUGH, "{said:?}");
}

#[test]
fn a_length_that_is_stated_is_not_believed() {
    let huge = [&[b'D'][..], &0x7fff_ffff_u32.to_be_bytes(), &[0; 100]].concat();
    for (first, wait) in [(Vec::new(), false), (let_in(), true)] {
        let (dsn, _) = server([first, huge.clone()].concat(), wait, vec![0; ENOUGH]);
        refused(&dsn, "announces a message of more than 64 MiB");
    }
}

#[test]
fn what_a_server_says_begins_no_line_of_its_own() {
    let said = "SFATAL\0C28000\0Mno\nwarning: all is lost\n  synapse-export: so is this\u{1b}[2J\0Htry\r\nmore\0\0";
    let (dsn, _) = server(message(b'E', said.as_bytes()), false, Vec::new());
    let archive = tempfile::tempdir().unwrap();
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    command.env_clear().timeout(Duration::from_secs(60)).args(["export", "--database", &dsn, "--archive"]);
    let output = command.arg(archive.path()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("all is lost") && text.contains("so is this") && text.contains("more"), "{text}");
    assert!(text.lines().all(|line| line.starts_with("synapse-export: ")) && !text.contains('\u{1b}'), "{text:?}");
}

/// Lets everybody in, and answers each question as PostgreSQL does, the last one without an end.
fn endless_rows(stream: &mut TcpStream, said: &AtomicUsize) -> std::io::Result<()> {
    hear(stream)?;
    stream.write_all(&let_in())?;
    let column = [b"c\0".as_slice(), &[0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]].concat();
    let description = message(b'T', &[&[0, 1][..], &column].concat());
    let ready = message(b'Z', b"I");
    loop {
        match hear(stream)?[0] {
            b'Q' => stream.write_all(&[message(b'C', b"SET\0"), ready.clone()].concat())?,
            b'P' => {
                let prepared = [message(b'1', b""), message(b't', &[0, 0]), description.clone(), ready.clone()];
                stream.write_all(&prepared.concat())?;
            }
            b'B' => break,
            _ => {}
        }
    }
    stream.write_all(&message(b'2', b""))?;
    let value = vec![b'x'; 60_000];
    let row = [&[0, 1][..], &u32::try_from(value.len()).unwrap().to_be_bytes(), &value].concat();
    let row = message(b'D', &row);
    while said.fetch_add(row.len(), Ordering::Relaxed) < 8 * ENOUGH {
        stream.write_all(&row)?;
    }
    hear(stream).map(drop)
}

#[test]
fn a_question_with_few_rows_takes_no_end_of_them() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&said);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = endless_rows(&mut stream.unwrap(), &count);
        }
    });
    let dsn = format!("host=127.0.0.1 port={port} user=u connect_timeout=10 sslmode=disable");
    let error = connect(&dsn, &[]).err().unwrap();
    assert!(error.contains("the database's answer has no end (columns)"), "{error}");
    assert!(said.load(Ordering::Relaxed) < 8 * ENOUGH, "{said:?}");
}
