//! What event sourced and value entities share, told once and run for both.

mod commits;
mod failures;
mod laws;
mod passivation;
mod queue;
mod timeouts;
mod turns;
mod wrong_phase;
