//! Whose session it is that an event was encrypted with: its device's, if that is known. Looks no device up: that is for who uses this.

/// The user whose device made a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Who.
    pub user_id: String,
    /// The application service that he is of: a bridge encrypts for its ghosts and for people by its own device.
    pub appservice: Option<String>,
}

/// Whether an event's sender is the owner of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is his own.
    Own,
    /// A bridge's: of this application service.
    Bridge(String),
    /// No device of that key is known.
    Unknown,
    /// Another user's.
    Other,
}

impl Fit {
    /// How an owner fits an event's sender.
    #[must_use]
    pub fn of(owner: Option<&Owner>, sender: Option<&str>) -> Fit {
        match owner {
            None => Fit::Unknown,
            Some(owner) if Some(&*owner.user_id) == sender => Fit::Own,
            Some(Owner { appservice: Some(service), .. }) => Fit::Bridge(service.clone()),
            Some(_) => Fit::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_speaks_for_others_and_nobody_else_does() {
        let owner = |user_id: &str, appservice: Option<&str>| Owner {
            user_id: user_id.to_owned(),
            appservice: appservice.map(str::to_owned),
        };
        let (alice, bot) = (owner("@alice:a.example", None), owner("@bot:a.example", Some("bridge")));
        assert_eq!(Fit::of(Some(&alice), Some("@alice:a.example")), Fit::Own);
        assert_eq!(Fit::of(Some(&alice), Some("@bob:a.example")), Fit::Other);
        assert_eq!(Fit::of(Some(&alice), None), Fit::Other);
        assert_eq!(Fit::of(Some(&bot), Some("@bob:a.example")), Fit::Bridge("bridge".to_owned()));
        assert_eq!(Fit::of(Some(&bot), Some("@bot:a.example")), Fit::Own);
        assert_eq!(Fit::of(None, Some("@bob:a.example")), Fit::Unknown);
    }
}
