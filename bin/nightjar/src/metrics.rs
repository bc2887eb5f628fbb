//! Metrics: what parts count themselves, and the store's counts, as Prometheus text.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;
use nightjar_store_fjall::Counters;

/// Installs the recorder of the process and answers how its text is made.
pub(crate) fn install(
    store: Arc<Counters>,
) -> anyhow::Result<Arc<dyn Fn() -> String + Send + Sync>> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("the metrics recorder is set twice")?;
    Ok(Arc::new(move || {
        // Histograms hold samples until somebody looks; this is somebody.
        handle.run_upkeep();
        let mut text = handle.render();
        store_text(&store, &mut text);
        text
    }))
}

fn store_text(store: &Counters, text: &mut String) {
    let counts = store.counts();
    let seconds = |ns: u64| std::time::Duration::from_nanos(ns).as_secs_f64();
    let rows: [(&str, &str, f64); 10] = [
        ("nightjar_store_commits_total", "counter", counts.commits as f64),
        ("nightjar_store_batches_total", "counter", counts.batches as f64),
        ("nightjar_store_rows_written_total", "counter", counts.rows_committed as f64),
        ("nightjar_store_bytes_written_total", "counter", counts.bytes_committed as f64),
        ("nightjar_store_fsyncs_total", "counter", counts.fsyncs as f64),
        ("nightjar_store_fsync_seconds_total", "counter", seconds(counts.fsync_ns_total)),
        ("nightjar_store_fsync_seconds_last", "gauge", seconds(counts.fsync_ns_last)),
        ("nightjar_store_commits_waiting", "gauge", counts.commits_waiting as f64),
        ("nightjar_store_rows_loaded_total", "counter", counts.rows_loaded as f64),
        ("nightjar_store_rows_scanned_total", "counter", counts.rows_scanned as f64),
    ];
    for (name, kind, value) in rows {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
    }
}
