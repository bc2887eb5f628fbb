//! Calls, Live Activities, and who is known by a certificate.

use super::*;

fn open_as(kind: ApnsKind, server: &ApnsServer) -> Apns {
    Apns::open(kind, "main", &config(server)).unwrap()
}

#[tokio::test]
async fn a_call_on_the_wire() {
    let server = ApnsServer::start().await;
    let calls = open_as(ApnsKind::Voip, &server);
    let answer = calls.push(&samples::alert("apns_voip")).await;
    assert_eq!((calls.name(), answer.outcome), ("apns_voip", Outcome::Delivered), "{answer:?}");
    insta::assert_snapshot!(golden(&server.requests()[0]));
    let mut long = samples::alert("apns_voip");
    long.alert.as_mut().unwrap().body = "x".repeat(4500);
    assert_eq!(calls.push(&long).await.outcome, Outcome::Delivered);
    long.alert.as_mut().unwrap().body = "x".repeat(5200);
    assert_eq!(calls.push(&long).await.outcome, Outcome::TooLarge);
}

#[tokio::test]
async fn a_live_activity_on_the_wire() {
    let server = ApnsServer::start().await;
    let activities = open_as(ApnsKind::LiveActivity, &server);
    let mut request = samples::alert("apns_liveactivity");
    let answer = activities.push(&request).await;
    let told = (answer.outcome, answer.reason.as_str());
    assert_eq!(told, (Outcome::Reject, "content_state_missing"));
    let own = json!({"aps": {"content-state": {"eta_min": 7}, "timestamp": 1, "stale-date": 2}});
    request.overrides = own.as_object().cloned();
    let answer = activities.push(&request).await;
    assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    let mut sent = server.requests().remove(0);
    let mut body = sent.json();
    let at_s = body["aps"]["timestamp"].take().as_u64().unwrap();
    assert!((crate::clock::wall_now().0 / 1000).abs_diff(at_s) < 60, "ours, not theirs");
    sent.body = body.to_string().into_bytes();
    insta::assert_snapshot!(golden(&sent));
    request.overrides = json!({"aps": {"content-state": {}, "event": "end"}}).as_object().cloned();
    activities.push(&request).await;
    assert_eq!(server.requests()[1].json()["aps"]["event"], "end");
}

#[tokio::test]
async fn neither_can_take_back_in_silence() {
    let server = ApnsServer::start().await;
    for kind in [ApnsKind::Voip, ApnsKind::LiveActivity] {
        let answer = open_as(kind, &server).push(&samples::withdrawal(kind.provider())).await;
        assert_eq!(answer, crate::answers::no_withdrawal());
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_topic_may_be_written_with_its_suffix_or_without() {
    for kind in ApnsKind::ALL {
        let topic = kind.topic("com.example.chat").unwrap();
        assert_eq!(kind.topic(topic.to_str().unwrap()), Some(topic));
        assert_eq!(kind.topic(""), None);
    }
}

fn certificate_config(server: &ApnsServer) -> ApnsConfig {
    let [cert_file, key_file] = server.client_files().map(KeyFile::from);
    let cert_file = Some(cert_file);
    ApnsConfig { team_id: None, key_id: None, key_file, cert_file, ..config(server) }
}

fn roots(server: &ApnsServer) -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.authority().unwrap().to_vec().into()).unwrap();
    roots
}

#[tokio::test]
async fn who_has_a_certificate_shows_no_token() {
    let server = ApnsServer::with_certificates().await;
    let url = server.base_url();
    let which = (ApnsKind::Alert, "main");
    let known =
        Apns::with_servers(which, &certificate_config(&server), [&url; 2], roots(&server)).unwrap();
    assert_eq!(push(&known, "t1").await.outcome, Outcome::Delivered);
    assert_eq!(server.requests()[0].header("authorization"), "");
    server.answer("t1", Script::refuse(403, "BadCertificateEnvironment"));
    let answer = push(&known, "t1").await;
    assert_eq!((answer.outcome, server.requests().len()), (Outcome::ConfigError, 2));
    server.answer("t1", Script::refuse(403, "ExpiredProviderToken"));
    push(&known, "t1").await;
    assert_eq!(server.requests().len(), 3, "there is nothing to sign anew");

    // With a token alone the handshake fails: the server asks for a certificate.
    let token = Apns::with_servers(which, &config(&server), [&url; 2], roots(&server)).unwrap();
    let answer = push(&token, "t1").await;
    assert_eq!(answer.outcome, Outcome::Retry, "{answer:?}");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_certificate_and_a_key_that_do_not_belong_together_are_refused() {
    let server = ApnsServer::with_certificates().await;
    let another = ApnsServer::with_certificates().await;
    let [_, key_file] = another.client_files().map(KeyFile::from);
    let wrong = ApnsConfig { key_file, ..certificate_config(&server) };
    let error = Apns::open(ApnsKind::Alert, "main", &wrong).err().unwrap();
    assert_eq!(error.option, "cert_file", "{error}");
}
