//! The real program while the system fails it: every call that changes the archive fails once, or is the program's last; and
//! disks, file systems and clocks as they should not be.
//!
//! `shim.c` is what makes them fail. `FAULTS=all` tries every call, where otherwise chance chooses some; `FAULTS_SEED` makes
//! the same choice again.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests, and so are their helping functions")]

mod support;

#[path = "faults/bad_days.rs"]
mod bad_days;
#[path = "faults/hosts.rs"]
mod hosts;
#[path = "faults/order.rs"]
mod order;
#[path = "faults/shim.rs"]
mod shim;
#[path = "faults/state.rs"]
mod state;
#[path = "faults/steps.rs"]
mod steps;
#[path = "faults/story.rs"]
mod story;
