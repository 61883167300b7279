//! What is not PostgreSQL, or is somebody in between, and sends more than there is memory for.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The most memory that a run may take, in KiB: what it keeps of an answer, and itself.
const MOST: u64 = 200 << 10;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &u32::try_from(body.len() + 4).expect("a short one").to_be_bytes(), body].concat()
}

/// The next message: of which kind it is.
fn next(client: &mut TcpStream) -> std::io::Result<u8> {
    let mut head = [0; 5];
    client.read_exact(&mut head)?;
    let length = u32::from_be_bytes(head[1..].try_into().expect("five bytes"));
    client.read_exact(&mut vec![0; length as usize - 4])?;
    Ok(head[0])
}

fn startup(client: &mut TcpStream) -> std::io::Result<()> {
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    client.read_exact(&mut vec![0; u32::from_be_bytes(length) as usize - 4])
}

/// The description of columns: their names and types.
fn columns(columns: &[(&str, u32)]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).expect("a few").to_be_bytes().to_vec();
    for (name, oid) in columns {
        body.extend(
            [name.as_bytes(), b"\0\0\0\0\0\0\0", &oid.to_be_bytes()[..], &[0, 0, 255, 255, 255, 255, 0, 1]].concat(),
        );
    }
    message(b'T', &body)
}

fn row(values: &[&[u8]]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).expect("a few").to_be_bytes().to_vec();
    for value in values {
        body.extend([&u32::try_from(value.len()).expect("a fake server is made").to_be_bytes()[..], value].concat());
    }
    message(b'D', &body)
}

/// Lets a client log in and begin a transaction, and answers the statement after it with what `answer` writes.
fn serve(client: &mut TcpStream, answer: impl Fn(&mut TcpStream) -> std::io::Result<()>) -> std::io::Result<()> {
    let ready = message(b'Z', b"T");
    startup(client)?;
    client.write_all(&[message(b'R', &[0; 4]), message(b'K', &[1; 8]), ready.clone()].concat())?;
    let parsed = [message(b'1', b""), message(b'2', b""), message(b't', &[0, 0])].concat();
    let mut asked = 0;
    loop {
        match next(client)? {
            b'Q' => client.write_all(&[message(b'C', b"BEGIN\0"), ready.clone()].concat())?,
            b'S' if asked == 0 => {
                asked += 1;
                let names = [("process", 23), ("standby", 16), ("read_only", 16), ("statement_timeout", 20)];
                let values: [&[u8]; 4] = [&[1; 4], &[0], &[0], &5_000_u64.to_be_bytes()];
                let opened = [columns(&names), row(&values), message(b'C', b"SELECT 1\0")];
                client.write_all(&[parsed.clone(), opened.concat(), ready.clone()].concat())?;
            }
            b'S' => {
                client.write_all(
                    &[
                        parsed.clone(),
                        columns(&[("table_name", 25), ("column_name", 25), ("type_name", 25), ("readable", 16)]),
                    ]
                    .concat(),
                )?;
                return answer(client);
            }
            _ => {}
        }
    }
}

/// Runs a command against such a server: what it says, and its memory at the most, in KiB.
fn against(serve: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> (Option<i32>, String, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a fake server is made");
    let port = listener.local_addr().expect("a fake server is made").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // it ends when the client has had enough
            let _ = serve(&mut client);
            let _ = client.read(&mut [0; 1]);
        }
    });
    let dsn = format!("host=127.0.0.1 port={port} user=u dbname=d sslmode=disable");
    let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .env_clear()
        .args(["rooms", "--retry-for", "30s", "--database", &dsn])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a fake server is made");
    let mut peak = 0;
    let code = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        if let Some(status) = child.try_wait().expect("a fake server is made") {
            break status.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut said = String::new();
    child.stderr.take().expect("a fake server is made").read_to_string(&mut said).expect("a fake server is made");
    (code, said, peak)
}

fn refused(outcome: (Option<i32>, String, u64), why: &str) {
    let (code, said, peak) = outcome;
    assert!(code == Some(1) && said.contains(why), "{code:?} {said}");
    assert!(peak > 0 && peak < MOST, "{peak} KiB");
}

/// Writes the same until the client has had enough, or it is far more than it may keep.
fn endless(client: &mut TcpStream, what: &[u8]) -> std::io::Result<()> {
    let many = what.repeat((1 << 20) / what.len());
    (0..400).try_for_each(|_| client.write_all(&many))
}

#[test]
fn what_comes_before_the_login_is_bounded() {
    let notice = message(b'N', &[&b"SNOTICE\0C00000\0Mx"[..], &[b'x'; 10_000], &[0, 0]].concat());
    let outcome = against(move |client| {
        startup(client)?;
        client.write_all(&message(b'R', &[0; 4]))?;
        endless(client, &notice)
    });
    refused(outcome, "more than 1 MiB before the login");
}

#[test]
fn the_answer_to_a_small_question_is_bounded() {
    let rows = row(&[b"t", b"c", b"x", &[1]]);
    refused(against(move |client| serve(client, |client| endless(client, &rows))), "more rows than");
}

#[test]
fn a_length_is_not_believed() {
    let head = [&b"D"[..], &(1_u32 << 30).to_be_bytes(), &[0, 4]].concat();
    let outcome = against(move |client| {
        serve(client, |client| {
            client.write_all(&head)?;
            endless(client, &[0; 1_000])
        })
    });
    refused(outcome, "a message of more than 64 MiB");
}

#[test]
fn notices_beside_an_answer_are_bounded() {
    let setting = message(b'S', &[&[b'x'; 5_000][..], b"\0y\0"].concat());
    let outcome = against(move |client| serve(client, |client| endless(client, &setting)));
    refused(outcome, "more than 1 MiB of notices");
}
