//! What a sender wants of a provider, under what we want of it.

use nightjar_push::PushRequest;
use serde_json::Value;

/// Lays `ours` over `theirs`: objects are merged, anything else of ours replaces theirs.
pub(crate) fn merge(theirs: &mut Value, ours: Value) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (key, ours) in ours {
                match theirs.get_mut(&key) {
                    Some(theirs) => merge(theirs, ours),
                    None => {
                        theirs.insert(key, ours);
                    }
                }
            }
        }
        (theirs, ours) => *theirs = ours,
    }
}

/// Whether the sender's own part names a field, by the keys on the way to it.
pub(crate) fn names(request: &PushRequest, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    let own = request.overrides.as_ref().and_then(|own| own.get(*first));
    rest.iter().try_fold(own, |value, key| Some(value?.get(key))).flatten().is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ours_win_and_what_only_they_have_stays() {
        let mut theirs =
            json!({"aps": {"category": "c", "badge": 9, "alert": "x"}, "mid": {"a": 1}});
        merge(&mut theirs, json!({"aps": {"badge": 1, "alert": {"title": "t"}}, "mid": "m"}));
        let expected =
            json!({"aps": {"category": "c", "badge": 1, "alert": {"title": "t"}}, "mid": "m"});
        assert_eq!(theirs, expected);
    }
}
