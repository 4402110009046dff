//! What all clients of a process share: the count of calls, deadlines, connections and the key of digests.

use crate::http::connections::Connections;
use crate::{Deadlines, Digester, Env, Meter, Result};
use std::sync::{Arc, OnceLock};

/// Made empty with the first environment of a process, and shared by its clones.
#[derive(Clone, Default)]
pub(super) struct Process {
    meter: Meter,
    deadlines: Deadlines,
    connections: Arc<OnceLock<Connections>>,
    digester: Digester,
}

impl Env {
    /// The same variables for another collector in this process, whose calls are counted separately as in a function of its
    /// own.
    #[must_use]
    pub fn apart(&self) -> Self {
        let process = Process { digester: self.digester(), ..Process::default() };
        Self { process, ..self.clone() }
    }

    /// The meter that every client made from this environment counts on.
    #[must_use]
    pub const fn meter(&self) -> &Meter {
        &self.process.meter
    }

    /// The deadlines that every client made from this environment obeys.
    #[must_use]
    pub const fn deadlines(&self) -> &Deadlines {
        &self.process.deadlines
    }

    /// Replaces people and names by digests. Its key is read from the store before the first fetch.
    #[must_use]
    pub fn digester(&self) -> Digester {
        self.process.digester.clone()
    }

    /// The connections that every client made from this environment shares.
    pub(crate) fn connections(&self) -> Result<Connections> {
        let shared = &self.process.connections;
        if let Some(connections) = shared.get() {
            return Ok(connections.clone());
        }
        let connections = Connections::new(self.get("SSL_CERT_FILE"), self.meter().clone())?;
        Ok(shared.get_or_init(|| connections).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_collector_counts_apart_with_the_same_variables() {
        let env = Env::of([("DD_ENV", "test")]);
        env.meter().register("github");
        env.meter().called("github");
        let other = env.apart();
        other.meter().register("asana");
        assert_eq!((other.get("DD_ENV"), other.meter().calls()), (Some("test"), 0));
        assert_eq!((env.meter().upstreams(), other.meter().upstreams()), (["github"].into(), ["asana"].into()));
        assert_eq!(env.digester().of("ada"), other.digester().of("ada"));
    }
}
