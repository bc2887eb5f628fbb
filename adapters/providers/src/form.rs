//! Bodies of the kind `application/x-www-form-urlencoded`.

use std::collections::BTreeMap;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::HeaderValue;
use serde_json::{Map, Value};

/// The content type of a form, with the charset the vendors ask for.
pub(crate) const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");

/// Fields by name, in the order of their names.
#[derive(Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    /// What a sender wants, objects flattened: `{"extra": {"k": 1}}` is `extra.k=1`.
    pub(crate) fn from_json(object: &Map<String, Value>) -> Self {
        let mut form = Self::default();
        for (name, value) in object {
            form.lay(name.clone(), value);
        }
        form
    }

    fn lay(&mut self, name: String, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.lay(format!("{name}.{key}"), value);
                }
            }
            Value::String(text) => self.set(name, text.as_str()),
            other => self.set(name, other.to_string()),
        }
    }

    /// Sets a field, whatever it was.
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Leaves a field out.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The fields, by name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The fields as an object of texts.
    #[cfg(test)]
    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!(self.0)
    }

    /// The body (WHATWG URL §5.2).
    pub(crate) fn encode(&self) -> Bytes {
        let mut serializer = Serializer::new(String::new());
        Bytes::from(serializer.extend_pairs(&self.0).finish())
    }
}

/// A field of a form that came, the first of its name.
pub(crate) fn field(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_flattened_and_values_encoded() {
        let own = json!({"title": "a=b&c d", "extra": {"n": 5, "k": {"x": "é"}}});
        let mut form = Form::from_json(own.as_object().unwrap());
        form.set("title", "1+1");
        form.remove("extra.n");
        assert_eq!(form.encode(), "extra.k.x=%C3%A9&title=1%2B1");
    }
}
