//! What clients measured, summed up by platform as Prometheus series. Nothing in them names a user
//! or a device; names and labels are closed lists.

use nightjar_model::{METRIC_BUCKETS, Measure, MetricKind, Platform, metric_bucket};

/// Adds what one client measured.
pub(crate) fn add(platform: Platform, measures: &[Measure]) {
    for measure in measures {
        match measure.metric.kind() {
            MetricKind::Counter => {
                let name = format!("nightjar_client_{}_total", measure.metric.name());
                metrics::counter!(name, "platform" => platform.as_str()).increment(measure.count);
            }
            MetricKind::Histogram => add_to_histogram(platform, *measure),
        }
    }
}

/// The series of a Prometheus histogram: the recorder's own would keep every sample until
/// somebody looks, and here one item stands for many.
fn add_to_histogram(platform: Platform, Measure { metric, value, count }: Measure) {
    let name = format!("nightjar_client_{}", metric.name());
    let platform = platform.as_str();
    let bucket = metric_bucket(value);
    for bound in METRIC_BUCKETS.into_iter().filter(|bound| *bound >= bucket) {
        let le = if bound == u64::MAX { "+Inf".to_owned() } else { bound.to_string() };
        let labels = [("platform", platform.to_owned()), ("le", le)];
        metrics::counter!(format!("{name}_bucket"), &labels).increment(count);
    }
    metrics::counter!(format!("{name}_count"), "platform" => platform).increment(count);
    metrics::counter!(format!("{name}_sum"), "platform" => platform)
        .increment(value.saturating_mul(count));
}
