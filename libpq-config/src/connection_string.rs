//! Connection strings: `key=value` pairs and URLs (PostgreSQL manual, "Connection Strings").
//!
//! Errors never quote a string: what is malformed may well be its password.

use crate::Error;
use crate::parameters::Parameters;

const PLACE: &str = "the connection string";
/// How a URL's password has what would end it.
const IN_A_PASSWORD: &str = "%40 for @ and %2F for /";

/// Reads either kind.
pub(crate) fn parse(text: &str) -> Result<Parameters, Error> {
    let rest = ["postgres://", "postgresql://"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.map_or_else(|| key_values(text), url)
}

fn malformed(problem: &str) -> Error {
    Error::Malformed(problem.to_owned())
}

/// Reads `key = value key='quoted \' value'`.
fn key_values(text: &str) -> Result<Parameters, Error> {
    let mut parameters = Parameters::default();
    let mut chars = text.trim_start_matches(is_space).chars().peekable();
    let mut after_password = false;
    while chars.peek().is_some() {
        let mut key = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !is_space(*c)) {
            key.push(c);
        }
        while chars.next_if(|c| is_space(*c)).is_some() {}
        if key.is_empty() || chars.next() != Some('=') {
            return Err(malformed(
                "it is neither a postgres:// URL nor key=value pairs; quote values that hold spaces",
            ));
        }
        while chars.next_if(|c| is_space(*c)).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('\'') if quoted => break,
                Some(c) if !quoted && is_space(c) => break,
                Some(c) => value.push(c),
                None if quoted => return Err(malformed("a value has no closing quote")),
                None => break,
            }
        }
        while chars.next_if(|c| is_space(*c)).is_some() {}
        parameters.insert(&key, value, PLACE).map_err(|error| match error {
            // then the "key" may be the rest of the password
            Error::Unknown { .. } if after_password => malformed(
                "a key after its password is unknown; quote a password that holds spaces, and write \\' for a ' in it",
            ),
            error => error,
        })?;
        after_password |= is_password(&key);
    }
    Ok(parameters)
}

/// Reads what follows `postgres://`: `user:password@host:port,host:port/dbname?key=value&key=value`.
fn url(text: &str) -> Result<Parameters, Error> {
    let mut parameters = Parameters::default();
    let mut set = |key: &str, value: &str| parameters.insert(key, decode(value)?, PLACE);
    let mut rest = text;
    // as in libpq, a ? may stand in a password as it is, but a / may not
    if let Some(end) = text.find(['@', '/']).filter(|end| text[*end..].starts_with('@')) {
        let (user, password) = text[..end].split_once(':').unwrap_or((&text[..end], ""));
        for (key, value) in [("user", user), ("password", password)] {
            if !value.is_empty() {
                set(key, value)?;
            }
        }
        rest = &text[end + 1..];
    }
    // an @ that is left over may be one of the password's, and what is wrong behind it be a part of that
    let mut after_password = rest.contains('@');
    let wrong = move |problem: &str| {
        malformed(&if after_password {
            format!("{problem}; in a password, write {IN_A_PASSWORD}")
        } else {
            problem.to_owned()
        })
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (places, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    if dbname.contains('@') {
        // then the "name" is the rest of the password
        return Err(malformed("there is an @ in its database's name; in a password, write %2F for / and %40 for @"));
    }
    if !dbname.is_empty() {
        set("dbname", dbname)?;
    }
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for place in places.split(',') {
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(|| wrong("a [ in its host has no ]"))?,
            None => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        hosts.push(host);
        ports.push(match port {
            "" => "",
            port => port.strip_prefix(':').ok_or_else(|| wrong("there is something between a host and its port"))?,
        });
    }
    // several empty ones are the default for each, whatever the environment says
    if hosts != [""] {
        set("host", &hosts.join(","))?;
    }
    if ports != [""] {
        set("port", &ports.join(","))?;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let pair = pair.split_once('=').filter(|(_, value)| !value.contains('='));
        let (key, value) = pair.ok_or_else(|| {
            wrong("a parameter after its ? has no value, or two; write key=value, and %3D for another =")
        })?;
        match (decode(key)?.as_str(), value) {
            // as libpq does, for URLs written for JDBC
            ("ssl", "true") => set("sslmode", "require")?,
            (key, value) => {
                set(key, value).map_err(|error| match error {
                    // then the "key" may be the rest of the password
                    Error::Unknown { .. } if after_password => malformed(
                        "a key after its password is unknown; in a password, write %40 for @, %2F for / and %26 for &",
                    ),
                    error => error,
                })?;
                after_password |= is_password(key);
            }
        }
    }
    Ok(parameters)
}

/// What C calls a space.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

fn is_password(key: &str) -> bool {
    matches!(key, "password" | "sslpassword")
}

fn decode(text: &str) -> Result<String, Error> {
    let is_code = |code: &str| code.len() >= 2 && code.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if text.split('%').skip(1).any(|code| !is_code(code) || code.starts_with("00")) {
        return Err(malformed("a % in it has no two hexadecimal digits behind it; write %25 for %"));
    }
    let text = percent_encoding::percent_decode_str(text).decode_utf8();
    text.map(String::from).map_err(|_| malformed("what its %XX stand for is not UTF-8"))
}
