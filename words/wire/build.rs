//! Compiles `proto/native.proto` and gives the messages their JSON form.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/native.proto");
    let files = protox::compile(["native.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    config
        .bytes(["."])
        .message_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)]")
        .message_attribute(".", "#[serde(default)]");
    // A field that was not set is left out of the JSON form, as it is of the binary one.
    for file in &files.file {
        for message in &file.message_type {
            for field in &message.field {
                if field.proto3_optional() {
                    let path = format!(".nightjar.{}.{}", message.name(), field.name());
                    config.field_attribute(
                        &path,
                        "#[serde(skip_serializing_if = \"Option::is_none\")]",
                    );
                }
            }
        }
    }
    for path in [".nightjar.Send.content", ".nightjar.Message.content", ".nightjar.Edit.content"] {
        config.field_attribute(path, "#[serde(with = \"crate::inline_json\")]");
    }
    config
        .field_attribute(".nightjar.Push.data", "#[serde(with = \"crate::inline_json::option\")]");
    config.field_attribute(".nightjar.Options.mentions", "#[serde(with = \"crate::mentions\")]");
    config.out_dir(PathBuf::from(std::env::var("OUT_DIR")?));
    config.compile_fds(files)?;
    Ok(())
}
