//! What the sources declare: every item and member, under everything it lies in.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use syn::visit::{self, Visit};

use crate::tree::File;

/// The items of one crate.
#[derive(Debug, Default)]
pub(crate) struct Items {
    /// Owner and name. The owner of an item is every module around it and `""`, the crate; that of
    /// a method, variant, field or associated item is its type or trait.
    owned: BTreeSet<(String, String)>,
}

impl Items {
    /// Whether each part of a path is declared under the part before it.
    pub(crate) fn declare(&self, path: &[&str]) -> bool {
        let mut owner = "";
        path.iter().all(|name| {
            let is_owned = self.owned.contains(&(owner.to_owned(), (*name).to_owned()));
            owner = name;
            is_owned
        })
    }

    /// Adds what a source file declares. `modules` is its place in the crate.
    pub(crate) fn add(&mut self, modules: Vec<String>, source: &str) -> syn::Result<()> {
        let file = syn::parse_file(source)?;
        let mut collector = Collector { items: self, modules: Vec::new() };
        for module in modules {
            collector.item(module.clone());
            collector.modules.push(module);
        }
        collector.visit_file(&file);
        Ok(())
    }
}

/// The crates of the workspace by the name code uses for them, e.g. `nightjar_push`.
pub(crate) fn crates(files: &[File]) -> Result<BTreeMap<String, Items>> {
    let mut crates = BTreeMap::new();
    for manifest in files {
        let Some(folder) = manifest.path.strip_suffix("/Cargo.toml") else { continue };
        let Some(name) = package_name(&manifest.text) else { continue };
        let mut items = Items::default();
        let sources = format!("{folder}/src/");
        for file in files {
            let Some(place) = file.path.strip_prefix(&sources) else { continue };
            let Some(place) = place.strip_suffix(".rs") else { continue };
            items
                .add(modules_of(place), &file.text)
                .with_context(|| format!("{} does not parse", file.path))?;
        }
        crates.insert(name.replace('-', "_"), items);
    }
    Ok(crates)
}

fn package_name(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

/// The modules a file makes: `a/b` for `src/a/b.rs`, none for the crate's root.
fn modules_of(place: &str) -> Vec<String> {
    let is_module = |part: &&str| !matches!(*part, "lib" | "main" | "mod");
    place.split('/').filter(is_module).map(str::to_owned).collect()
}

struct Collector<'a> {
    items: &'a mut Items,
    modules: Vec<String>,
}

impl Collector<'_> {
    fn item(&mut self, name: impl ToString) {
        for owner in self.modules.iter().cloned().chain([String::new()]) {
            self.items.owned.insert((owner, name.to_string()));
        }
    }

    fn member(&mut self, owner: &str, name: impl ToString) {
        self.items.owned.insert((owner.to_owned(), name.to_string()));
    }

    fn used(&mut self, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.used(&path.tree),
            syn::UseTree::Name(name) => self.item(&name.ident),
            syn::UseTree::Rename(rename) => self.item(&rename.rename),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.used(tree)),
            syn::UseTree::Glob(_) => {}
        }
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        use syn::Item;
        match item {
            Item::Fn(it) => self.item(&it.sig.ident),
            Item::Struct(it) => self.item(&it.ident),
            Item::Enum(it) => self.item(&it.ident),
            Item::Trait(it) => self.item(&it.ident),
            Item::Const(it) => self.item(&it.ident),
            Item::Static(it) => self.item(&it.ident),
            Item::Type(it) => self.item(&it.ident),
            Item::Macro(it) => it.ident.iter().for_each(|name| self.item(name)),
            Item::Use(it) if matches!(it.vis, syn::Visibility::Public(_)) => self.used(&it.tree),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.item(&module.ident);
        self.modules.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.modules.pop();
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        for name in item.fields.iter().filter_map(|field| field.ident.as_ref()) {
            self.member(&item.ident.to_string(), name);
        }
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        for variant in &item.variants {
            self.member(&item.ident.to_string(), &variant.ident);
        }
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        for member in &item.items {
            if let syn::TraitItem::Fn(method) = member {
                self.member(&item.ident.to_string(), &method.sig.ident);
            }
        }
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        let syn::Type::Path(path) = &*block.self_ty else { return };
        let Some(last) = path.path.segments.last() else { return };
        let owner = last.ident.to_string();
        for member in &block.items {
            match member {
                syn::ImplItem::Fn(method) => self.member(&owner, &method.sig.ident),
                syn::ImplItem::Const(constant) => self.member(&owner, &constant.ident),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_declared_where_each_part_lies_in_the_one_before() {
        let mut items = Items::default();
        let source = "pub fn decide() {} pub struct Queue { depth: u8 } impl Queue { fn take() {} }
            pub enum Silence { Muted } pub trait Rows { fn load(); } pub use x::Other;
            mod inner { fn deep() {} }";
        items.add(vec!["decision".into()], source).unwrap();
        for path in [
            &["decide"][..],
            &["decision", "decide"],
            &["Queue", "take"],
            &["decision", "Queue", "depth"],
            &["Silence", "Muted"],
            &["Rows", "load"],
            &["Other"],
            &["decision", "inner", "deep"],
            &["inner", "deep"],
        ] {
            assert!(items.declare(path), "{path:?}");
        }
        for path in [&["decided"][..], &["Queue", "decide"], &["inner", "decide"], &["take"]] {
            assert!(!items.declare(path), "{path:?}");
        }
    }

    #[test]
    fn a_crate_is_known_by_its_manifest() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let files = [
            file("cores/push/Cargo.toml", "[package]\nname = \"nightjar-push\"\n"),
            file("cores/push/src/lib.rs", "mod decision;"),
            file("cores/push/src/decision.rs", "fn decide() {}"),
        ];
        let crates = crates(&files).unwrap();
        assert!(crates["nightjar_push"].declare(&["decision", "decide"]));
    }
}
