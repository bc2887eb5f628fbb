//! The load tool against the real server and the real relay: what it prints, not how fast it is.

use std::process::Command;

use serde_json::Value;

fn bench(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_nightjar"))
        .arg("bench")
        .args(arguments)
        .output()
        .expect("the binary starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object is printed")
}

fn refusal(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nightjar"))
        .arg("bench")
        .args(arguments)
        .output()
        .expect("the binary starts");
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// Every figure that outside programs read is there, and nothing went wrong.
fn is_whole(report: &Value) {
    for name in ["messages_per_s", "cpu_us_per_message", "p50_ms", "p99_ms", "p999_ms"] {
        let figure = report[name].as_f64();
        assert!(figure.is_some_and(|figure| figure > 0.0), "{name} is {}", report[name]);
    }
    assert_eq!(report["errors"], 0, "{}", report["first_error"]);
    assert_eq!(report["missing"], 0);
}

#[test]
fn two_pairs_for_a_second_and_the_floor_beside_them() {
    let report = bench(&["--seconds", "1", "--pairs", "2", "--window", "4", "--with-floor"]);
    assert_eq!(report["peer"], "server");
    assert_eq!(report["connections"], 4);
    is_whole(&report);
    is_whole(&report["floor"]);
    assert!(report["times_floor"].as_f64().unwrap() > 1.0);
}

#[test]
fn the_floor_alone_prints_the_same_names() {
    let report = bench(&["floor", "--seconds", "1", "--pairs", "2"]);
    assert_eq!(report["peer"], "floor");
    is_whole(&report);
}

#[test]
fn a_paced_group_is_delivered_to_every_member_over_tls() {
    let report =
        bench(&["--seconds", "1", "--group", "5", "--group-rate", "20", "--idle", "3", "--tls"]);
    is_whole(&report);
    let (messages, deliveries) =
        (report["messages_per_s"].as_f64().unwrap(), report["deliveries_per_s"].as_f64().unwrap());
    assert!((10.0..=30.0).contains(&messages), "20 a second were asked: {messages}");
    assert!((2.0..=6.0).contains(&(deliveries / messages)), "four others get each: {deliveries}");
    assert_eq!(report["idle"]["connections"], 3);
}

#[test]
fn debts_of_a_killed_server_are_pushed_by_the_next() {
    let report = bench(&["restart", "--messages", "500", "--debts", "20"]);
    assert_eq!(report["pushes"], 20);
    assert_eq!(report["work_rows_at_open"], 20);
    assert!(report["ready_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_cannot_be_run_says_what_can() {
    assert!(refusal(&["--front", "xmpp"]).contains("this version offers native"));
    assert!(refusal(&["--payload", "3"]).contains("use 32 to 65536 bytes"));
    let nobody = refusal(&["--pairs", "1", "--server", "http://127.0.0.1:1"]);
    assert!(nobody.contains("no server answers at 127.0.0.1:1"), "{nobody}");
}
