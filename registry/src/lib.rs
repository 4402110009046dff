//! The list of collectors, a line each, for whatever has to do with all of them.

use shared::Collector;

/// What is done with each collector.
pub trait Visitor {
    /// Does it with this one.
    fn visit<C: Collector + 'static>(&mut self);
}

/// Visits every collector, in the order of the pages of the documentation.
pub fn visit(visitor: &mut impl Visitor) {
    visitor.visit::<github::GitHub>();
    visitor.visit::<skypilot::SkyPilot>();
    visitor.visit::<asana::Asana>();
    visitor.visit::<wandb::WandB>();
}
