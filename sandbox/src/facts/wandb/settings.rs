//! What is configured of W&B, as its definitions speak of it.

/// The configuration that the definitions speak of, with its defaults.
#[derive(Debug, Clone)]
pub struct WandbSettings {
    /// After so many minutes without a beat a run is stale.
    pub stale_minutes: i64,
    /// Words for keys of summaries; the first two are accuracy and loss.
    pub keys: Vec<(String, String)>,
    /// What a GPU-hour costs, where that is configured.
    pub price: Option<f64>,
    /// Whether the runs' configuration says how many nodes they have.
    pub nodes: bool,
    /// Whether the GPUs of runs of the type local count.
    pub local_gpus: bool,
}

impl Default for WandbSettings {
    fn default() -> Self {
        let keys = [
            ("accuracy", "accuracy"),
            ("loss", "loss"),
            ("sps", "overview/sps"),
            ("hearts", "env_agent/heart.gained"),
            ("heart_amount", "env_agent/heart.amount"),
            ("queue_latency_s", "skypilot/queue_latency_s"),
        ];
        let keys = keys.map(|(word, key)| (word.to_owned(), key.to_owned())).to_vec();
        Self { stale_minutes: 30, keys, price: None, nodes: false, local_gpus: false }
    }
}
