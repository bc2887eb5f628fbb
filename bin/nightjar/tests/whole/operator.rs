//! What operators do with files: configuration, verify, export, import, and two servers by mistake.

use std::path::Path;
use std::process::Output;

use nightjar_whole::{ADMIN_KEY, Login, Setup};
use serde_json::{Value, json};

use crate::setup;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(setup: &Setup, verb: &str, data_dir: &Path, rest: &[&str]) -> Output {
    let data_dir = data_dir.to_str().expect("temporary folders have plain names");
    let arguments = [&[verb, "--data-dir", data_dir], rest].concat();
    setup.run(&arguments)
}

fn check(setup: &Setup, config: &str) -> (Option<i32>, String) {
    let file = setup.folder().join("checked.toml");
    std::fs::write(&file, config).expect("there is room for a file");
    let output = setup.run(&["check-config".as_ref(), file.as_os_str()]);
    (output.status.code(), text(&output.stderr))
}

#[test]
fn check_config_names_file_line_option_and_reason() {
    let setup = setup();
    let good = setup.config();
    assert_eq!(check(&setup, &good), (Some(0), String::new()));
    let lines = good.lines().count();
    let keys = |listen: &str| {
        format!("[server]\nadmin_key = \"k\"\ntoken_secret = \"0123456789abcdef\"\n{listen}\n")
    };
    for (config, line, option) in [
        (format!("{good}[deadlines]\nforeground_ms = \"soon\"\n"), lines + 2, "foreground_ms"),
        (format!("{good}[deadlines]\nforground_ms = 5\n"), lines + 2, "forground_ms"),
        (format!("{good}[dedlines]\n"), lines + 1, "[dedlines]"),
        (format!("{good}[store]\nkind = \"paper\"\n"), lines + 2, "store.kind"),
        (format!("{good}[push]\ndisplay = \"loud\"\n"), lines + 2, "push.display"),
        (format!("{good}[webhooks]\nurl = \"http://127.0.0.1/\"\n"), lines + 1, "webhooks.secret"),
        (keys("listen = \"0.0.0.0:7300\""), 4, "server.listen"),
        (keys("listen = \"here\""), 4, "server.listen"),
        (keys("").replace("0123456789abcdef", "short"), 3, "server.token_secret"),
        (format!("{good}[[\n"), lines + 1, ""),
    ] {
        let (code, error) = check(&setup, &config);
        assert_eq!(code, Some(1), "{config}");
        let place = format!("checked.toml:{line}: ");
        let (_, rest) = error.split_once(&place).unwrap_or_else(|| panic!("no {place} in {error}"));
        assert!(rest.starts_with(option), "{option} in {error}");
        assert!(rest.len() > option.len() + 3, "no reason in {error}");
        assert!(!error.contains(ADMIN_KEY), "{error}");
    }
    let missing = setup.run(&["check-config", "nowhere.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("nowhere.toml"), "{}", text(&missing.stderr));
}

#[test]
fn check_config_refuses_what_the_server_would_only_find_when_it_starts() {
    let setup = setup();
    let good = setup.config();
    for (more, word) in [
        (
            "[push.apns.main]\nteam_id = \"T\"\nkey_id = \"K\"\nkey_file = 'none.p8'\ntopic = \"t\"\n",
            "push.apns.main.key_file",
        ),
        ("[push.fcm.main]\nservice_account_file = 'none.json'\n", "push.fcm.main"),
        (
            "[webhooks]\nurl = \"ftp://x/\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n",
            "webhooks.url",
        ),
        ("[webhooks]\nurl = \"http://x/\"\nsecret = \"whsec_???\"\n", "webhooks.secret"),
    ] {
        let (code, error) = check(&setup, &format!("{good}{more}"));
        assert_eq!(code, Some(1), "{more}: {error}");
        assert!(error.contains(word), "{word} in {error}");
    }
}

#[tokio::test]
async fn every_option_can_be_set_from_the_environment() {
    let setup = setup()
        .env("NIGHTJAR_SERVER__ADMIN_KEY", "another-key")
        .env("NIGHTJAR_DEADLINES__FOREGROUND_MS", "1234");
    let server = setup.start().await;
    let api = server.api();
    assert_eq!(api.get("/v1/users/bob/unread").await.status, 401);
    let api = api.with_key(Some("another-key"));
    let token = api.token("bob").await;
    let bob = Login::new("bob", "phone").token(&token).to(&server).await;
    assert_eq!(bob.hello.ack_deadline_ms, 1_234);
}

#[tokio::test]
async fn a_store_that_was_exported_and_imported_is_the_same_store() {
    let mut server = setup().start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    let mut last = None;
    for n in 0..20 {
        last = Some(alice.say("bob", &format!("message {n}")).await);
    }
    let conversation = last.expect("something was sent").conversation;
    server
        .api()
        .post("/v1/groups", json!({"id": "crew", "owner": "alice", "members": ["bob"]}))
        .await
        .good();
    let history = server.api().whole_history(&conversation, "bob").await;
    let badge = server.api().badge("bob").await;
    server.terminate().await;
    server.assert_verified();

    let setup = server.setup();
    let export = setup.folder().join("export.ndjson");
    let export = export.to_str().expect("temporary folders have plain names");
    let copy = setup.folder().join("copy");
    let exported = run(setup, "export", &setup.data_dir(), &["--out", export]);
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    let lines = std::fs::read_to_string(export).expect("an export");
    assert!(lines.lines().count() > 40);
    for line in lines.lines() {
        serde_json::from_str::<Value>(line).expect("each line is JSON");
    }
    let imported = run(setup, "import", &copy, &["--in", export]);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let verified = run(setup, "verify", &copy, &[]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));

    // A second export of the copy says the same, row by row.
    let again = setup.folder().join("again.ndjson");
    let again = again.to_str().expect("temporary folders have plain names");
    assert!(run(setup, "export", &copy, &["--out", again]).status.success());
    assert_eq!(std::fs::read_to_string(again).expect("an export"), lines);
    // And an import never mixes two stores.
    let twice = run(setup, "import", &copy, &["--in", export]);
    assert_eq!(twice.status.code(), Some(1), "{}", text(&twice.stderr));

    let other = crate::setup().env("NIGHTJAR_SERVER__DATA_DIR", copy.to_str().expect("plain"));
    let other = other.start().await;
    assert_eq!(other.api().whole_history(&conversation, "bob").await, history);
    let (unread, bv) = other.api().badge("bob").await;
    assert_eq!(unread, badge.0);
    assert!(bv >= badge.1);
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused_and_so_is_verify() {
    let server = setup().start().await;
    let setup = server.setup();
    let config = setup.folder().join("nightjar.toml");
    let second = setup.run(&["serve".as_ref(), "--config".as_ref(), config.as_os_str()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("data"), "{}", text(&second.stderr));
    let verify = server.verify();
    assert_eq!(verify.status.code(), Some(1), "{}", text(&verify.stdout));
    // The first goes on as if nothing had happened.
    server.api().send("alice", json!({"user": "bob"}), "still here").await;
}

#[test]
fn verify_of_a_place_without_a_store_says_so() {
    let setup = setup();
    let found = run(&setup, "verify", &setup.folder().join("nowhere"), &[]);
    assert_eq!(found.status.code(), Some(1));
    assert!(text(&found.stderr).contains("nowhere"), "{}", text(&found.stderr));
    assert!(!setup.folder().join("nowhere").exists(), "a check makes nothing");
}

#[test]
fn verify_finds_no_store_where_none_is_and_makes_none() {
    let setup = setup();
    let data_dir = setup.folder().join("nothing");
    let store = data_dir.join("store");
    std::fs::create_dir_all(&store).expect("there is room for a folder");
    let output = run(&setup, "verify", &data_dir, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(!store.join("data").exists());
}
