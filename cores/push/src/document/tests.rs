use super::*;

const NOW: WallMs = WallMs(1_700_000_000_000);

fn read(document: Value) -> Read<PushSettings> {
    settings_from_json(&document, NOW)
}

#[test]
fn a_whole_document_comes_back_as_it_was_written() {
    let document = json!({
        "mode": "at",
        "muted_until": NOW.0 + 1,
        "quiet_hours": {"time_zone": "Asia/Shanghai", "intervals": [
            {"start": "22:00", "end": "07:30", "weekdays": [1, 2, 3, 4, 5]},
            {"start": "00:00", "end": "00:00", "weekdays": [6, 7]},
        ]},
        "display": "sender",
        "language": "zh-TW",
        "policy": {"delay_if_active_s": 10},
        "primary_device": "phone",
        "nickname": "Bobby",
        "template": "plain",
        "blocked": ["mallory"],
        "push_if_unread_after_s": 30,
        "conversations": {
            "g:crew": {"mode": "none", "muted_until": NOW.0 + 604_800_000, "quiet_hours":
                {"time_zone": "UTC", "intervals": [
                    {"start": "01:00", "end": "02:00", "weekdays": [7]}]}},
        },
    });
    assert_eq!(settings_to_json(&read(document.clone()).unwrap()), document);
}

#[test]
fn what_chooses_nothing_is_not_kept() {
    let empty = json!({
        "mode": null,
        "muted_until": NOW.0,
        "push_if_unread_after_s": 0,
        "quiet_hours": {"time_zone": "UTC", "intervals": []},
        "conversations": {"g:crew": {"mode": "default", "muted_until": 0}},
        "blocked": [],
        "a_field_of_tomorrow": 1,
    });
    assert_eq!(read(empty).unwrap(), PushSettings::default());
    assert_eq!(settings_to_json(&PushSettings::default()), json!({}));
    let every_day = json!({"quiet_hours": {"time_zone": "UTC", "intervals":
        [{"start": "1:00", "end": "02:00"}]}});
    assert_eq!(read(every_day).unwrap().quiet_hours.unwrap().intervals[0].weekdays, EVERY_DAY);
}

#[test]
fn a_mistake_is_named_with_its_field() {
    let interval = |interval: Value| {
        json!({"quiet_hours": {"time_zone": "UTC", "intervals":
        [{"start": "00:00", "end": "01:00"}, interval]}})
    };
    let at = "quiet_hours.intervals[1]";
    let many = vec!["x"; limits::BLOCKED_MAX + 1];
    for (document, field) in [
        (json!([]), "the document".to_owned()),
        (json!({"mode": "some"}), "mode".into()),
        (json!({"mode": "default"}), "mode".into()),
        (json!({"mode": 1}), "mode".into()),
        (json!({"muted_until": -1}), "muted_until".into()),
        (json!({"muted_until": NOW.0 + 8 * 24 * 3_600_000}), "muted_until".into()),
        (json!({"display": "all"}), "display".into()),
        (json!({"language": ""}), "language".into()),
        (json!({"policy": "none"}), "policy".into()),
        (json!({"policy": {"delay_if_active_s": 0}}), "policy.delay_if_active_s".into()),
        (json!({"policy": {}}), "policy".into()),
        (json!({"primary_device": ""}), "primary_device".into()),
        (json!({"nickname": "x".repeat(257)}), "nickname".into()),
        (json!({"template": "a b"}), "template".into()),
        (json!({"blocked": "x"}), "blocked".into()),
        (json!({"blocked": many}), "blocked".into()),
        (json!({"push_if_unread_after_s": 86_401}), "push_if_unread_after_s".into()),
        (json!({"quiet_hours": {"time_zone": "Mars/Base"}}), "quiet_hours.time_zone".into()),
        (
            json!({"quiet_hours": {"intervals": [{"start": "00:00", "end": "01:00"}]}}),
            "quiet_hours.time_zone".into(),
        ),
        (interval(json!({"end": "01:00"})), format!("{at}.start")),
        (interval(json!({"start": "24:00", "end": "01:00"})), format!("{at}.start")),
        (interval(json!({"start": "1:00", "end": "+1:00"})), format!("{at}.end")),
        (
            interval(json!({"start": "1:00", "end": "2:00", "weekdays": [0]})),
            format!("{at}.weekdays"),
        ),
        (json!({"conversations": {"g:x": {"mode": "never"}}}), "conversations.g:x.mode".into()),
        (json!({"conversations": {"g:x": 1}}), "conversations.g:x".into()),
    ] {
        assert_eq!(read(document.clone()).unwrap_err().field, field, "{document}");
    }
}

#[test]
fn an_operators_choice_leaves_the_rest_to_the_configuration() {
    let choice = choice_from_json(&json!({"policy": "all_offline"})).unwrap();
    let holds = choice.over(&PushPolicy { storm: false, ..PushPolicy::default() });
    let expected = json!({"policy": "all_offline", "storm": false, "display": "preview"});
    assert_eq!(policy_to_json(&holds), expected);
    assert_eq!(choice_from_json(&json!({"storm": "yes"})).unwrap_err().field, "storm");
}

#[test]
fn a_template_has_a_name_a_title_and_a_body() {
    let template = |name: &str, document: Value| template_from_json(name, &document);
    let whole = json!({"title": "{$from_name}", "body": "{0}", "locale": "de"});
    assert_eq!(template("news", whole.clone()).unwrap().locale.as_deref(), Some("de"));
    for (name, document, field) in [
        ("a/b", whole, "name"),
        ("news", json!({"body": "x"}), "title"),
        ("news", json!({"title": "x", "body": ""}), "body"),
        ("news", json!({"name": "other", "title": "x", "body": "x"}), "name"),
    ] {
        assert_eq!(template(name, document).unwrap_err().field, field);
    }
}
