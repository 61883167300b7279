//! What a file is, by its first bytes: the only thing that decides its name's end, and whether a browser is asked to show it. What anybody
//! says of a file decides neither. What could run (HTML, SVG, programs) is of no type that is known here.

mod naming;

pub use naming::safe_name;

/// A type of files that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are called so everywhere")]
pub enum FileType {
    Png,
    Jpeg,
    Gif,
    Webp,
    Avif,
    Heic,
    Mp4,
    Webm,
    Mov,
    Ogg,
    Mp3,
    M4a,
    Wav,
    Flac,
    Pdf,
    /// Any other.
    Other,
}

/// How a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileDisplay {
    /// As a picture.
    Picture,
    /// In a player with a picture.
    Video,
    /// In a player.
    Audio,
    /// Behind a link.
    Link,
}

/// How much of a file's beginning tells its type, in bytes.
pub const BEGINNING: usize = 64;

/// The end of the name of a file of no type that is known.
const OTHER: &str = "bin";

const TYPES: [(FileType, &str, FileDisplay); 16] = [
    (FileType::Png, "png", FileDisplay::Picture),
    (FileType::Jpeg, "jpg", FileDisplay::Picture),
    (FileType::Gif, "gif", FileDisplay::Picture),
    (FileType::Webp, "webp", FileDisplay::Picture),
    (FileType::Avif, "avif", FileDisplay::Picture),
    (FileType::Heic, "heic", FileDisplay::Link),
    (FileType::Mp4, "mp4", FileDisplay::Video),
    (FileType::Webm, "webm", FileDisplay::Video),
    (FileType::Mov, "mov", FileDisplay::Link),
    (FileType::Ogg, "ogg", FileDisplay::Audio),
    (FileType::Mp3, "mp3", FileDisplay::Audio),
    (FileType::M4a, "m4a", FileDisplay::Audio),
    (FileType::Wav, "wav", FileDisplay::Audio),
    (FileType::Flac, "flac", FileDisplay::Audio),
    (FileType::Pdf, "pdf", FileDisplay::Link),
    (FileType::Other, OTHER, FileDisplay::Link),
];

/// What a file is by the end of its path, which an archive has made.
#[must_use]
pub fn of_path(path: &str) -> FileType {
    path.rsplit_once('.').and_then(|(_, end)| FileType::of_extension(end)).unwrap_or(FileType::Other)
}

impl FileType {
    /// What a file is that begins so.
    #[must_use]
    pub fn of(begin: &[u8]) -> FileType {
        let at = |place: usize, bytes: &[u8]| begin.get(place..).is_some_and(|rest| rest.starts_with(bytes));
        match begin {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => FileType::Png,
            [0xff, 0xd8, 0xff, ..] => FileType::Jpeg,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => FileType::Gif,
            [b'R', b'I', b'F', b'F', ..] if at(8, b"WEBP") => FileType::Webp,
            [b'R', b'I', b'F', b'F', ..] if at(8, b"WAVE") => FileType::Wav,
            [b'O', b'g', b'g', b'S', ..] => FileType::Ogg,
            [b'f', b'L', b'a', b'C', ..] => FileType::Flac,
            [b'I', b'D', b'3', 2..=4, ..] => FileType::Mp3,
            // a frame of layer III with a bit rate and a sampling rate that there are
            [0xff, 0xfa | 0xfb | 0xf2 | 0xf3, rates, ..] if !matches!(rates >> 4, 0 | 15) && rates & 0x0c != 0x0c => {
                FileType::Mp3
            }
            [b'%', b'P', b'D', b'F', b'-', ..] => FileType::Pdf,
            [0x1a, 0x45, 0xdf, 0xa3, rest @ ..] if rest.windows(4).take(BEGINNING).any(|it| it == b"webm") => {
                FileType::Webm
            }
            _ if at(4, b"ftyp") => match begin.get(8..12) {
                Some(b"avif" | b"avis") => FileType::Avif,
                Some(b"heic" | b"heix" | b"mif1" | b"msf1") => FileType::Heic,
                Some(b"M4A " | b"M4B ") => FileType::M4a,
                Some(b"qt  ") => FileType::Mov,
                Some(
                    b"isom" | b"iso2" | b"iso3" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1" | b"dash"
                    | b"M4V " | b"3gp4" | b"3gp5" | b"3gp6" | b"MSNV",
                ) => FileType::Mp4,
                _ => FileType::Other,
            },
            _ => FileType::Other,
        }
    }

    /// The type whose files' names end so.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<FileType> {
        TYPES.iter().find(|(_, own, _)| *own == extension).map(|(kind, ..)| *kind)
    }

    /// What its files' names end in.
    #[must_use]
    pub fn extension(self) -> &'static str {
        TYPES.iter().find(|(kind, ..)| *kind == self).map_or(OTHER, |(_, extension, _)| extension)
    }

    /// Its media type, of one that is shown; of all else that it is bytes, so that nobody shows it.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            FileType::Png => "image/png",
            FileType::Jpeg => "image/jpeg",
            FileType::Gif => "image/gif",
            FileType::Webp => "image/webp",
            FileType::Avif => "image/avif",
            FileType::Mp4 => "video/mp4",
            FileType::Webm => "video/webm",
            FileType::Ogg => "audio/ogg",
            FileType::Mp3 => "audio/mpeg",
            FileType::M4a => "audio/mp4",
            FileType::Wav => "audio/wav",
            FileType::Flac => "audio/flac",
            FileType::Heic | FileType::Mov | FileType::Pdf | FileType::Other => "application/octet-stream",
        }
    }

    /// How it is shown.
    #[must_use]
    pub fn shown(self) -> FileDisplay {
        TYPES.iter().find(|(kind, ..)| *kind == self).map_or(FileDisplay::Link, |(.., shown)| *shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_what_the_bytes_say() {
        for (begin, expected) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], FileType::Png),
            (b"\xff\xd8\xff\xe0..JFIF", FileType::Jpeg),
            (b"GIF89a..", FileType::Gif),
            (b"RIFF....WEBPVP8 ", FileType::Webp),
            (b"RIFF....WAVEfmt ", FileType::Wav),
            (b"RIFF....AVI ", FileType::Other),
            (b"\0\0\0\x20ftypisom", FileType::Mp4),
            (b"\0\0\0\x20ftypM4A ", FileType::M4a),
            (b"\0\0\0\x20ftyphtml", FileType::Other),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", FileType::Webm),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", FileType::Other),
            (b"ID3\x03", FileType::Mp3),
            (b"\xff\xfb\x90\x64", FileType::Mp3),
            (b"\xff\xfb\xf0\x64", FileType::Other),
            (b"%PDF-1.7", FileType::Pdf),
            (b"<svg xmlns=", FileType::Other),
            (b"<!DOCTYPE html>", FileType::Other),
            (b"#!/bin/sh", FileType::Other),
            (b"PK\x03\x04", FileType::Other),
            (b"", FileType::Other),
        ] {
            assert_eq!(FileType::of(begin), expected, "{begin:?}");
        }
    }

    #[test]
    fn every_type_has_a_name_of_its_own() {
        for (kind, extension, shown) in TYPES {
            assert_eq!((kind.extension(), kind.shown()), (extension, shown));
            assert_eq!(FileType::of_extension(extension), Some(kind));
            let group = kind.media_type().split('/').next().unwrap();
            let of_group = match shown {
                FileDisplay::Picture => "image",
                FileDisplay::Video => "video",
                FileDisplay::Audio => "audio",
                FileDisplay::Link => "application",
            };
            assert_eq!(group, of_group);
        }
        for extension in ["html", "svg", "PNG", "", "../x", "exe"] {
            assert_eq!(FileType::of_extension(extension), None);
        }
    }
}
