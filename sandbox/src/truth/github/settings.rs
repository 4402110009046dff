//! What the configuration of the collector says, with the catalogue's defaults.

/// What says that something was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deploys {
    /// Deployments to an environment of this name.
    Environment(String),
    /// Runs on the default branch of the workflow in this file, such as `deploy.yml`.
    Workflow(String),
}

/// The configuration that the truth depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `GITHUB_BRANCH`. The model tells commits of a repository's own default branch alone.
    pub branch: Option<String>,
    /// `GITHUB_BOTS`.
    pub bots: Vec<String>,
    /// `GITHUB_LABELS_HOTFIX`.
    pub hotfix_labels: Vec<String>,
    /// `GITHUB_LABELS_REVERT`.
    pub revert_labels: Vec<String>,
    /// `GITHUB_LABELS_FORCE`.
    pub force_labels: Vec<String>,
    /// `GITHUB_LABELS_INCIDENT`.
    pub incident_labels: Vec<String>,
    /// `GITHUB_FORCE_SOURCES`: `activity`, `labels`, `rule_suites`.
    pub force_sources: Vec<String>,
    /// `GITHUB_BUG_LABELS`.
    pub bug_labels: Vec<String>,
    /// `GITHUB_BLOCKING_WORKFLOWS`: names or file names; none means those that run on the default branch by push.
    pub blocking_workflows: Option<Vec<String>>,
    /// `GITHUB_BENCHMARK_WORKFLOWS`: names or file names; none means those with the word in their name.
    pub benchmark_workflows: Option<Vec<String>>,
    /// `GITHUB_JOB_LIMITS`: minutes by name or file name of the workflow, `*` for all others.
    pub job_limits: Vec<(String, f64)>,
    /// `GITHUB_DEPLOYS`.
    pub deploys: Option<Deploys>,
    /// `GITHUB_QUEUE_TIME`.
    pub queue_time: bool,
    /// `GITHUB_RUNNERS`.
    pub runners: bool,
    /// `GITHUB_RUNNER_CLASSES`.
    pub runner_classes: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let words = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        Self {
            branch: None,
            bots: Vec::new(),
            hotfix_labels: words("hotfix"),
            revert_labels: words("revert"),
            force_labels: words("force-merge,force_merge"),
            incident_labels: words("incident"),
            force_sources: words("activity,labels"),
            bug_labels: words("bug,Training"),
            blocking_workflows: None,
            benchmark_workflows: None,
            job_limits: vec![("*".to_owned(), 360.0)],
            deploys: None,
            queue_time: false,
            runners: false,
            runner_classes: words("ubuntu-latest,self-hosted"),
        }
    }
}
