//! Which files of media repositories an event names, by their Matrix addresses (`mxc://server/id`), and how those are encrypted that are.
//!
//! One rule for all who ask: what is copied is what is shown. Thumbnails are never named, nor previews of links, which no event has.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::value::RawValue;

use super::Object;
use super::object::{members, text};

/// How long a file's media type may be that is remembered, in bytes.
const LONGEST_TYPE: usize = 100;
/// How many characters of its name are remembered.
const LONGEST_NAME: usize = 200;
/// What a file's address begins with.
const SCHEME: &str = "mxc://";

/// A file that an event names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile<'a> {
    /// Its address, `mxc://server/id`.
    pub mxc: Cow<'a, str>,
    /// What the event says that it is: `image/png`.
    pub mimetype: Option<String>,
    /// How it is encrypted, if it is.
    pub sealed: Option<EncryptedFile>,
    /// It is the picture of a member or of the room.
    pub is_avatar: bool,
    /// The beginning of what its sender calls it.
    pub name: Option<String>,
}

impl NamedFile<'_> {
    /// The same, which borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> NamedFile<'static> {
        let NamedFile { mxc, mimetype, sealed, is_avatar, name } = self;
        NamedFile { mxc: Cow::Owned(mxc.into_owned()), mimetype, sealed, is_avatar, name }
    }
}

/// How an attachment is encrypted (client-server specification, "Sending encrypted attachments", version 2): AES-CTR with 256 bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EncryptedFile {
    /// The key.
    pub key: [u8; 32],
    /// The counter block that it begins with, of which the last 64 bits count.
    pub iv: [u8; 16],
    /// SHA-256 of what is stored.
    pub sha256: [u8; 32],
}

impl std::fmt::Debug for EncryptedFile {
    /// Without its key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}

impl EncryptedFile {
    /// What an `EncryptedFile` says; none: something of it is missing, or of another version. Base64 may be of either alphabet, with its
    /// padding or without, as clients write it.
    #[must_use]
    pub fn of(file: &Object<'_>) -> Option<EncryptedFile> {
        if file.text("v").is_some_and(|version| version != "v2" && version != "v1") {
            return None;
        }
        let key = file.object("key")?;
        if key.text("alg").is_some_and(|algorithm| algorithm != "A256CTR") {
            return None;
        }
        let hashes = file.object("hashes")?;
        let [key, iv, sha256] = [key.text("k")?, file.text("iv")?, hashes.text("sha256")?].map(|text| decoded(&text));
        Some(EncryptedFile { key: key?.try_into().ok()?, iv: iv?.try_into().ok()?, sha256: sha256?.try_into().ok()? })
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let standard = text.replace('-', "+").replace('_', "/");
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(standard).ok()
}

/// Whether this is the address of a file on a Matrix server, `mxc://server/id`, without anything odd.
#[must_use]
pub fn is_mxc(uri: &str) -> bool {
    parts(uri).is_some()
}

/// The server and the id of a file's address; none: it is no such address.
#[must_use]
pub fn parts(mxc: &str) -> Option<(&str, &str)> {
    let allowed = |part: &str, more: &str| {
        (1..=255).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || more.as_bytes().contains(&b))
    };
    let parts = mxc.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/'));
    parts.filter(|(server, id)| allowed(server, ".:-") && allowed(id, "_-"))
}

/// The files that an event names by its content, each once, but for one that is named both as an avatar and otherwise, or encrypted
/// in several ways.
#[must_use]
pub fn named<'a>(kind: &str, content: &'a str) -> Vec<NamedFile<'a>> {
    let mut found = Vec::new();
    match kind {
        "m.room.member" => avatar(&Object::of(content), "avatar_url", &mut found),
        "m.room.avatar" => avatar(&Object::of(content), "url", &mut found),
        "m.reaction" => {
            let relation = Object::of(content).get("m.relates_to");
            if let Some(key) = relation.and_then(|relation| Object::of(relation.get()).text("key")) {
                add(key, FileProperties::default(), &mut found);
            }
        }
        "m.image_pack" | "m.room.image_pack" | "im.ponies.room_emotes" => pack(&Object::of(content), &mut found),
        _ => said(content, ContentPart::Content, &mut found),
    }
    let mut seen = HashSet::new();
    found.retain(|named| seen.insert((named.mxc.clone(), named.sealed.clone(), named.is_avatar)));
    found
}

/// What of a content is looked at: all of it, what an edit puts in its place, or one of a gallery's files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ContentPart {
    Content,
    NewContent,
    Item,
}

fn avatar<'a>(content: &Object<'a>, key: &str, found: &mut Vec<NamedFile<'a>>) {
    if let Some(url) = content.text(key) {
        add(url, FileProperties { is_avatar: true, ..FileProperties::default() }, found);
    }
}

/// The pictures of a pack of emoji or stickers (MSC2545).
fn pack<'a>(content: &Object<'a>, found: &mut Vec<NamedFile<'a>>) {
    let images = content.get("images").map(|images| members(images.get())).unwrap_or_default();
    for (shortcode, image) in images {
        let image = Object::of(image.get());
        if let Some(url) = image.text("url") {
            let name = Some(beginning(&shortcode));
            add(
                url,
                FileProperties { mimetype: mimetype(image.get("info")), name, ..FileProperties::default() },
                found,
            );
        }
    }
    let avatar_url = content.get("pack").and_then(|pack| Object::of(pack.get()).text("avatar_url"));
    if let Some(url) = avatar_url {
        add(url, FileProperties { is_avatar: true, ..FileProperties::default() }, found);
    }
}

/// What a message, or one of the files of a gallery, or the new content of an edit, names.
fn said<'a>(content: &'a str, part: ContentPart, found: &mut Vec<NamedFile<'a>>) {
    let (mut url, mut file, mut info, mut html) = (None, None, None, None);
    let (mut body, mut filename) = (None, None);
    for (key, value) in members(content) {
        match &*key {
            "url" => url = text(value),
            "file" => file = Some(value),
            "info" => info = Some(value),
            "formatted_body" => html = text(value),
            "body" => body = text(value),
            "filename" => filename = text(value),
            "m.file" | "org.matrix.msc1767.file" => {
                let name = Object::of(value.get()).text("name").map(|name| beginning(&name));
                encrypted(value, Some(value), name, found);
            }
            "m.new_content" if part == ContentPart::Content => said(value.get(), ContentPart::NewContent, found),
            "itemtypes" if part != ContentPart::Item => {
                let items: Vec<&'a RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
                for item in items {
                    said(item.get(), ContentPart::Item, found);
                }
            }
            _ => {}
        }
    }
    let name = filename.or(body).filter(|_| url.is_some() || file.is_some()).map(|name| beginning(&name));
    if let Some(url) = url {
        add(url, FileProperties { mimetype: mimetype(info), name: name.clone(), ..FileProperties::default() }, found);
    }
    if let Some(file) = file {
        encrypted(file, info, name, found);
    }
    if let Some(html) = html {
        pictures(&html).for_each(|mxc| add(Cow::Owned(mxc.to_owned()), FileProperties::default(), found));
    }
}

/// A file with an address of its own and, perhaps, its key.
fn encrypted<'a>(file: &'a RawValue, info: Option<&'a RawValue>, name: Option<String>, found: &mut Vec<NamedFile<'a>>) {
    let object = Object::of(file.get());
    if let Some(url) = object.text("url") {
        let mimetype = mimetype(info).or_else(|| mimetype(Some(file)));
        add(url, FileProperties { mimetype, sealed: EncryptedFile::of(&object), name, is_avatar: false }, found);
    }
}

/// The addresses of custom emoji, and of other pictures in a text.
pub fn pictures(html: &str) -> impl Iterator<Item = &str> {
    let is_value = |at: usize| html[..at].trim_end_matches(['"', '\'', ' ']).ends_with('=');
    let values = html.match_indices(SCHEME).filter(move |(at, _)| is_value(*at));
    let addresses = values.map(|(at, _)| {
        let length = html[at..].find(['"', '\'', ' ', '>', '<', '&']).unwrap_or(html.len() - at);
        &html[at..at + length]
    });
    addresses.filter(|address| is_mxc(address))
}

/// What an event tells of a file beside its address.
#[derive(Default)]
struct FileProperties {
    mimetype: Option<String>,
    sealed: Option<EncryptedFile>,
    is_avatar: bool,
    name: Option<String>,
}

fn add<'a>(mxc: Cow<'a, str>, told: FileProperties, found: &mut Vec<NamedFile<'a>>) {
    if is_mxc(&mxc) {
        let FileProperties { mimetype, sealed, is_avatar, name } = told;
        found.push(NamedFile { mxc, mimetype, sealed, is_avatar, name });
    }
}

fn beginning(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

fn mimetype(info: Option<&RawValue>) -> Option<String> {
    let kind = Object::of(info?.get()).text("mimetype")?.trim().to_ascii_lowercase();
    let is_plain = kind.len() <= LONGEST_TYPE && kind.bytes().all(|byte| byte.is_ascii_graphic());
    (is_plain && kind.contains('/')).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &str, content: &str, expected: &[&str]) {
        let named = named(kind, content);
        assert_eq!(named.iter().map(|named| &*named.mxc).collect::<Vec<_>>(), expected, "{content}");
    }

    #[test]
    fn files_are_found_wherever_events_name_them() {
        check("m.room.message", r#"{"msgtype":"m.image","url":"mxc://a.b/c"}"#, &["mxc://a.b/c"]);
        check("m.sticker", r#"{"url":"mxc://a.b:8448/c_-"}"#, &["mxc://a.b:8448/c_-"]);
        check("m.room.message", r#"{"file":{"url":"mxc://a.b/c","key":1},"url":"mxc://a.b/c"}"#, &["mxc://a.b/c"]);
        let edit = r#"{"url":"mxc://a.b/c","m.new_content":{"url":"mxc://a.b/d"}}"#;
        check("m.room.message", edit, &["mxc://a.b/d", "mxc://a.b/c"]);
        let gallery = r#"{"itemtypes":[{"url":"mxc://a.b/c"},7,{"file":{"url":"mxc://a.b/d"}}]}"#;
        check("m.room.message", gallery, &["mxc://a.b/c", "mxc://a.b/d"]);
        check("m.image", r#"{"m.file":{"url":"mxc://a.b/c"}}"#, &["mxc://a.b/c"]);
        check("m.reaction", r#"{"m.relates_to":{"key":"mxc://a.b/c"}}"#, &["mxc://a.b/c"]);
        check("im.ponies.room_emotes", r#"{"images":{"x":{"url":"mxc://a.b/c"},"y":1}}"#, &["mxc://a.b/c"]);
        let html =
            r#"{"formatted_body":"<img data-mx-emoticon src=\"mxc://a.b/c\"> mxc://a.b/d <img src='mxc://a.b/e'/>"}"#;
        check("m.room.message", html, &["mxc://a.b/c", "mxc://a.b/e"]);
    }

    #[test]
    fn thumbnails_and_what_is_no_address_are_not() {
        let thumbnail = r#"{"info":{"thumbnail_url":"mxc://a.b/t","thumbnail_file":{"url":"mxc://a.b/t"}}}"#;
        check("m.room.message", thumbnail, &[]);
        for url in
            ["https://a.b/c", "mxc://a.b", "mxc://a.b/../c", "mxc://a.b/c/d", "mxc:///c", "mxc://a b/c", "MXC://a.b/c"]
        {
            check("m.room.message", &serde_json::json!({ "url": url }).to_string(), &[]);
        }
        for content in ["", "[]", "{", r#"{"url":7,"file":"x","itemtypes":{},"m.new_content":[]}"#] {
            check("m.room.message", content, &[]);
        }
    }

    #[test]
    fn avatars_are_told_from_what_is_said() {
        let is_avatar = |kind: &str, content: &str| named(kind, content).iter().all(|named| named.is_avatar);
        check("m.room.member", r#"{"avatar_url":"mxc://a.b/c"}"#, &["mxc://a.b/c"]);
        assert!(is_avatar("m.room.member", r#"{"avatar_url":"mxc://a.b/c"}"#));
        assert!(is_avatar("m.room.avatar", r#"{"url":"mxc://a.b/c"}"#));
        assert!(!is_avatar("m.room.message", r#"{"url":"mxc://a.b/c"}"#));
    }

    #[test]
    fn a_key_may_be_written_as_clients_do() {
        let file = |key: &str, iv: &str, hash: &str| {
            format!(
                r#"{{"file":{{"url":"mxc://a.b/c","v":"v2","key":{{"k":"{key}","alg":"A256CTR","kty":"oct","extra":[]}},"iv":"{iv}","hashes":{{"sha256":"{hash}"}}}},"info":{{"mimetype":"Image/PNG"}}}}"#
            )
        };
        let (key, hash) = ("__________________________________________8", "/".repeat(42) + "8");
        for content in [
            file(key, "AAAAAAAAAAEAAAAAAAAAAA", &hash),
            file(&key.replace('_', "/"), "AAAAAAAAAAEAAAAAAAAAAA==", &(hash.clone() + "=")),
        ] {
            let named = named("m.room.message", &content);
            let sealed = named[0].sealed.as_ref().expect("it is whole");
            assert_eq!((sealed.key, sealed.sha256, sealed.iv[7]), ([255; 32], [255; 32], 1));
            assert_eq!(named[0].mimetype.as_deref(), Some("image/png"));
            assert!(!format!("{named:?}").contains("255"), "its key is not told");
        }
        for broken in [file("AAAA", "AAAAAAAAAAEAAAAAAAAAAA", &hash), file(key, "", &hash), file(key, "AAAA", "")] {
            assert_eq!(named("m.room.message", &broken)[0].sealed, None);
        }
    }

    #[test]
    fn each_is_named_once() {
        check("m.room.message", r#"{"url":"mxc://a.b/c","m.new_content":{"url":"mxc://a.b/c"}}"#, &["mxc://a.b/c"]);
    }
}
