//! Everything a reader can ask of the objects of a pickle.

use mi::codec::pickle::{Graph, Ref};

/// Asks everything of everything, up to so many objects; answers and errors are both fine. How many objects were asked.
pub fn ask_everything(graph: &Graph<'_>, objects: usize) -> usize {
    let _ = (graph.globals(), graph.rest(), graph.objects());
    let mut waiting = vec![graph.root()];
    let mut asked = 0;
    while let Some(object) = waiting.pop() {
        asked += 1;
        if asked > objects {
            break;
        }
        ask(object, &mut waiting);
    }
    asked
}

fn ask<'g>(object: Ref<'g>, waiting: &mut Vec<Ref<'g>>) {
    let _ = (object.class(), object.global(), object.describe(), object.path(), format!("{object:?}"));
    let _ = (object.as_f64(), object.as_i64(), object.as_usize(), object.as_bool(), object.is_none(), object.is_str());
    let _ = (object.as_str(), object.bytes(), object.shape(), object.dtype(), object.is_array(), object.slice());
    let _ = (object.array_f64(), object.array_i64(), object.array_bool(), object.array_strings());
    let _ = (object.attr("coef_"), object.dict_get("a"), object.attr_some("none"));
    if let Ok(structured) = object.structured() {
        for name in structured.names() {
            let _ = (structured.f64(name), structured.i64(name), structured.len());
            if let Ok(field) = structured.field(name) {
                let _ = (field.strings(), field.bools());
            }
        }
    }
    waiting.extend(object.persistent_id());
    waiting.extend(object.state());
    // Some of each: what waits is not the library's memory.
    waiting.extend(object.args().unwrap_or_default().into_iter().take(100));
    waiting.extend(object.list().unwrap_or_default().into_iter().take(100));
    waiting.extend(object.object_array().map(|array| array.data).unwrap_or_default().into_iter().take(100));
    for (key, value) in object.items().unwrap_or_default().into_iter().take(100) {
        waiting.extend([key, value]);
    }
}
