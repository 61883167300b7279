//! Whose sessions are: the users of the devices that made them, as Synapse's tables have them. Trusts none: whether a device fits is
//! judged event by event.

use std::collections::{HashMap, HashSet};

use megolm_keys::{Fit, Owner};
use serde_json::Value;

use super::Error;
use crate::event::{OwnedUserId, UserId};
use crate::source::{Database, Device};

/// How many users are asked about at once.
const AT_ONCE: usize = 500;

/// How many who claim a key are remembered.
const CLAIMANTS: usize = 16;
/// How many devices or users are remembered, in some 100 bytes each.
const REMEMBERED: usize = 100_000;

/// Users by the Curve25519 keys of their devices: those of whom there are encrypted events, and those of application services.
#[derive(Default)]
pub(super) struct Owners {
    users: Vec<Owner>,
    /// Several may claim a key; each of them is one whose it may be.
    devices: HashMap<[u8; 32], Vec<usize>>,
    asked: HashSet<OwnedUserId>,
}

impl Owners {
    /// Looks up the devices of users, as far as it has not.
    pub(super) async fn ask(&mut self, database: &Database, users: &[OwnedUserId]) -> Result<(), Error> {
        if self.devices.len().max(self.asked.len()) > REMEMBERED {
            *self = Owners::default();
        }
        if self.asked.is_empty() {
            for device in database.appservice_devices().await? {
                self.add(&device);
            }
        }
        let new: Vec<&str> = users.iter().map(OwnedUserId::as_str).filter(|user| !self.asked.contains(*user)).collect();
        for users in new.chunks(AT_ONCE) {
            for device in database.devices(users).await? {
                self.add(&device);
            }
        }
        self.asked.extend(users.iter().cloned());
        Ok(())
    }

    /// The owners of a session, by the key of the device that made it: more than one where others claim that key.
    pub(super) fn of(&self, sender_key: Option<[u8; 32]>) -> impl Iterator<Item = &Owner> {
        let users = sender_key.and_then(|key| self.devices.get(&key)).into_iter().flatten();
        users.map(|user| &self.users[*user])
    }

    /// How the owners of a session fit an event's sender.
    pub(super) fn fit(&self, sender_key: Option<[u8; 32]>, sender: Option<UserId<'_>>) -> Fit {
        let sender = sender.map(UserId::as_str);
        let own = self.of(sender_key).find(|owner| Some(&*owner.user_id) == sender);
        let bridge = || self.of(sender_key).find(|owner| owner.appservice.is_some());
        Fit::of(own.or_else(bridge).or_else(|| self.of(sender_key).next()), sender)
    }

    fn add(&mut self, device: &Device) {
        let owner = Owner { user_id: device.user_id.clone(), appservice: device.appservice_id.clone() };
        let user = match self.users.last() {
            Some(last) if *last == owner => self.users.len() - 1,
            _ => {
                self.users.push(owner);
                self.users.len() - 1
            }
        };
        for key in keys(&device.keys) {
            let users = self.devices.entry(key).or_default();
            if !users.contains(&user) && users.len() < CLAIMANTS {
                users.push(user);
            }
        }
    }
}

/// The Curve25519 keys that a device's `keys` have.
fn keys(json: &str) -> Vec<[u8; 32]> {
    let device: Value = serde_json::from_str(json).unwrap_or_default();
    // remote servers' devices stand a level deeper
    let keys = device.get("keys").and_then(|keys| keys.get("keys").or(Some(keys))).and_then(Value::as_object);
    let curve = keys.into_iter().flatten().filter(|(name, _)| name.starts_with("curve25519:"));
    curve.filter_map(|(_, key)| megolm_keys::curve25519(key.as_str()?)).collect()
}
