//! The bootstrap of the function.

fn main() -> std::process::ExitCode {
    shared::lambda::run::<skypilot::SkyPilot>()
}
