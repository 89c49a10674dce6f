//! Verdicts on the layers of the way to a peer.

use serde::Serialize;

use super::super::Failure;
use super::super::output::{self, Format};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warning,
    Failed,
    Skipped,
}

/// What was found in one layer.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) layer: &'static str,
    pub(super) verdict: Verdict,
    pub(super) what: String,
    /// What to do about it, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) millis: Option<u64>,
}

/// What was found so far; printed line by line, or at the end as JSON.
pub(super) struct Findings {
    pub(super) format: Format,
    pub(super) all: Vec<Finding>,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) -> Result<(), Failure> {
        if self.format == Format::Text {
            let verdict = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Warning => "warning",
                Verdict::Failed => "failed",
                Verdict::Skipped => "skipped",
            };
            let Finding {
                layer, what, fix, ..
            } = &finding;
            let fix = fix.as_ref().map(|fix| format!("; {fix}"));
            let text = format!("{what}{}", fix.unwrap_or_default());
            // Nothing from outside may move the cursor.
            let text = text.replace(|c: char| c.is_control(), " ");
            output::line(format!("{verdict:<8} {layer:<11} {text}"))?;
        }
        self.all.push(finding);
        Ok(())
    }

    pub(super) fn ok(
        &mut self,
        layer: &'static str,
        what: impl Into<String>,
    ) -> Result<(), Failure> {
        self.add(finding(layer, Verdict::Ok, what, None))
    }

    pub(super) fn skipped(
        &mut self,
        layer: &'static str,
        why: impl Into<String>,
    ) -> Result<(), Failure> {
        self.add(finding(layer, Verdict::Skipped, why, None))
    }

    pub(super) fn warn(
        &mut self,
        layer: &'static str,
        what: impl Into<String>,
        fix: &str,
    ) -> Result<(), Failure> {
        self.add(finding(layer, Verdict::Warning, what, Some(fix)))
    }

    pub(super) fn fail(
        &mut self,
        layer: &'static str,
        what: impl Into<String>,
        fix: &str,
    ) -> Result<(), Failure> {
        self.add(finding(layer, Verdict::Failed, what, Some(fix)))
    }
}

/// A verdict; an empty `fix` is none.
pub(super) fn finding(
    layer: &'static str,
    verdict: Verdict,
    what: impl Into<String>,
    fix: Option<&str>,
) -> Finding {
    Finding {
        layer,
        verdict,
        what: what.into(),
        fix: fix.filter(|fix| !fix.is_empty()).map(str::to_owned),
        millis: None,
    }
}
