//! What a copy of a file is called: as its sender called it, as far as every file system and archiver takes that. The end of the name is by
//! the bytes, so that nothing could run.

use super::FileType;

/// The most characters, and bytes, of a name before its end.
const LONGEST: (usize, usize) = (80, 160);
/// The name of what has none.
const UNNAMED: &str = "file";
/// The ends of names of files that no type is known of by their bytes, and that programs open without running what is in them.
const INERT: [&str; 16] =
    ["txt", "log", "md", "docx", "xlsx", "pptx", "odt", "ods", "odp", "epub", "zip", "tar", "gz", "xz", "7z", "ics"];
/// Names that are devices under Windows, whatever follows their first dot.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// What a file may be called by what its sender calls it, and how that ends; never empty, of letters, digits, `.`, `-` and `_`.
#[must_use]
pub fn safe_name(called: &str, kind: FileType) -> (String, String) {
    let last = called.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name = String::new();
    for c in last.chars() {
        let c = if c.is_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
        if !(c == '_' && name.ends_with('_')) {
            name.push(c);
        }
    }
    let name = name.trim_matches(['.', '_', '-']);
    let (mut stem, mut end) = (name, kind.extension().to_owned());
    if let Some((before, own)) = name.rsplit_once('.') {
        let own = own.to_ascii_lowercase();
        let is_type = FileType::of_extension(&own).is_some() || own == "jpeg";
        if kind == FileType::Other && INERT.contains(&&*own) {
            (stem, end) = (before, own);
        } else if is_type {
            stem = before;
        }
    }
    let mut short: String = stem.chars().take(LONGEST.0).collect();
    while short.len() > LONGEST.1 {
        short.pop();
    }
    let short = short.trim_end_matches(['.', '_', '-']);
    let device = short.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_port = device.chars().count() == 4 && (device.starts_with("com") || device.starts_with("lpt"));
    let stem = match short {
        "" => UNNAMED.to_owned(),
        short if is_port || DEVICES.contains(&&*device) => format!("{UNNAMED}-{short}"),
        short => short.to_owned(),
    };
    (stem, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_its_sender_wrote_it_as_far_as_it_is_safe() {
        for (called, kind, expected) in [
            ("Holiday photo (1).PNG", FileType::Png, "Holiday_photo_1.png"),
            ("写真.jpeg", FileType::Jpeg, "写真.jpg"),
            ("../../etc/passwd", FileType::Other, "passwd.bin"),
            ("C:\\Users\\x\\report.docx", FileType::Other, "report.docx"),
            ("setup.exe", FileType::Other, "setup.exe.bin"),
            ("page.html", FileType::Other, "page.html.bin"),
            ("picture.svg", FileType::Other, "picture.svg.bin"),
            ("really.exe", FileType::Png, "really.exe.png"),
            ("shot.png", FileType::Jpeg, "shot.jpg"),
            ("picture.png", FileType::Other, "picture.bin"),
            ("CON", FileType::Png, "file-CON.png"),
            ("nul.tar.gz", FileType::Other, "file-nul.tar.gz"),
            ("com¹.png", FileType::Png, "file-com¹.png"),
            ("-rf", FileType::Other, "rf.bin"),
            (".bashrc", FileType::Other, "bashrc.bin"),
            ("a\u{202e}gnp.exe", FileType::Other, "a_gnp.exe.bin"),
            ("  ", FileType::Gif, "file.gif"),
            ("", FileType::Other, "file.bin"),
            ("a. . .", FileType::Other, "a.bin"),
        ] {
            let (stem, end) = safe_name(called, kind);
            assert_eq!(format!("{stem}.{end}"), expected, "{called}");
        }
    }
}
