//! The user function of the overload benchmark; reads `HOST` and `PORT`.

fn main() -> Result<(), cloudstate_sdk::ServeError> {
    cloudstate_sdk::log_to_stderr();
    cloudstate_bench::limited::function().run()
}
