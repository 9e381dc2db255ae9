//! Classes that are not read for a reason, which is worth a sentence of its own.

/// Why a class is not read, and what to do instead.
pub(super) fn reason(class: &str) -> &'static str {
    match class {
        "NMF"
        | "MiniBatchNMF"
        | "DictionaryLearning"
        | "MiniBatchDictionaryLearning"
        | "SparseCoder"
        | "LatentDirichletAllocation" => {
            "it solves a problem anew for the rows that it is given, all of them together; use PCA or FactorAnalysis, or store what \
             it gives"
        }
        "DBSCAN"
        | "HDBSCAN"
        | "OPTICS"
        | "AgglomerativeClustering"
        | "SpectralClustering"
        | "SpectralBiclustering"
        | "SpectralCoclustering"
        | "TSNE"
        | "MDS"
        | "ClassicalMDS"
        | "SpectralEmbedding" => {
            "it has no answer for rows that it was not trained on; train a model that predicts its result"
        }
        "CountVectorizer" | "TfidfVectorizer" | "TfidfTransformer" | "HashingVectorizer" | "DictVectorizer"
        | "FeatureHasher" | "PatchExtractor" => {
            "it takes text, dicts or images, not rows of numbers; compute its columns before the model"
        }
        "MultiLabelBinarizer" => "it encodes labels, not rows; save the model that was trained on them",
        _ => "export the model to ONNX, or replace this part of it",
    }
}
