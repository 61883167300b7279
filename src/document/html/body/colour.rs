//! Colours that senders give text: which of a few readable ones comes nearest. Pages have each of them for light and for dark.

/// How many there are: one for each part of the circle of hues.
const COUNT: u32 = 12;

/// The names that clients offer.
const NAMES: [(&str, [u8; 3]); 17] = [
    ("red", [255, 0, 0]),
    ("crimson", [220, 20, 60]),
    ("orange", [255, 165, 0]),
    ("gold", [255, 215, 0]),
    ("yellow", [255, 255, 0]),
    ("lime", [0, 255, 0]),
    ("green", [0, 128, 0]),
    ("olive", [128, 128, 0]),
    ("teal", [0, 128, 128]),
    ("aqua", [0, 255, 255]),
    ("cyan", [0, 255, 255]),
    ("blue", [0, 0, 255]),
    ("navy", [0, 0, 128]),
    ("purple", [128, 0, 128]),
    ("magenta", [255, 0, 255]),
    ("fuchsia", [255, 0, 255]),
    ("pink", [255, 192, 203]),
];

/// The number of a colour, `#rrggbb`, `#rgb` or a name; none of what is no colour, or none but light and dark.
pub(super) fn class(colour: &str) -> Option<u32> {
    let [red, green, blue] = rgb(colour.trim())?.map(i32::from);
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    let span = most - least;
    if span < 32 {
        return None;
    }
    let degrees = if most == red {
        60 * (green - blue) / span
    } else if most == green {
        120 + 60 * (blue - red) / span
    } else {
        240 + 60 * (red - green) / span
    };
    let part = 360 / COUNT;
    Some((degrees.rem_euclid(360).cast_unsigned() + part / 2) / part % COUNT)
}

fn rgb(colour: &str) -> Option<[u8; 3]> {
    let Some(digits) = colour.strip_prefix('#') else {
        return NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(colour)).map(|(_, rgb)| *rgb);
    };
    let digits: Vec<u8> =
        digits.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    match digits[..] {
        [r, g, b] => Some([r * 17, g * 17, b * 17]),
        [r, r2, g, g2, b, b2] => Some([r * 16 + r2, g * 16 + g2, b * 16 + b2]),
        _ => None,
    }
}
