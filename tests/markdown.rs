//! What markdown parsers read in the transcript's markdown, and browsers' parsers in its HTML, for any text: this text.

#[path = "markdown/html.rs"]
mod html;
#[path = "markdown/message.rs"]
mod message;
#[path = "markdown/oracles.rs"]
mod oracles;
#[path = "markdown/read.rs"]
mod read;
#[path = "markdown/text.rs"]
mod text;
#[path = "markdown/tree.rs"]
mod tree;
