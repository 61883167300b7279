//! What an archive proves: the public keys of its own server that are given to it, and seals of what it held at a time, what its server still has. The lines are
//! verified by `archive`, each event by `event`. Never asks for a private key.

mod keys;
mod seal;
mod server;

pub(crate) use keys::{from_answer, from_homeserver};
pub(crate) use seal::Seal;
pub(crate) use server::{Error as ServerError, compare};
