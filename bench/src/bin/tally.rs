//! The user function of the replay benchmark; reads `HOST` and `PORT`.

fn main() -> Result<(), cloudstate_sdk::ServeError> {
    cloudstate_sdk::log_to_stderr();
    cloudstate_bench::tally::function().run()
}
