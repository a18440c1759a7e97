"""Suggestions for names that do not exist: similar names, and our names for those of other tools."""

import difflib
from collections.abc import Iterable, Sequence

_ALIKE = 0.6  # the ratio of difflib above which two names count as similar
_SYNONYMS = {
    "learning_rate": "lr learn_rate step_size eta initial_lr max_lr base_lr",
    "steps": "epochs epoch num_epochs n_epochs max_epochs max_iters iters iterations n_iter num_steps max_steps nb_epoch",
    "batch_size": "batch bs mini_batch minibatch batchsize per_device_train_batch_size train_batch_size",
    "hidden_features": "hidden hidden_size hidden_dim hidden_units rnn_size nhid n_hidden units size width d_model n_embd dim",
    "layers": "num_layers n_layers n_layer nlayers layer_count rnn_layers depth_layers",
    "embedding_features": "embedding_size embedding_dim embed_size embed_dim emb_size emb_dim emsize input_encoding_size",
    "cell": "rnn_type rnn cell_type unit_type model_type rnn_cell arch architecture type",
    "window": "seq_len seq_length sequence_length block_size bptt context context_length context_size chunk_size truncate",
    "validation_fraction": "val_split val_frac val_fraction validation_split valid_size val_size dev_fraction",
    "test_fraction": "test_split test_frac test_size",
    "clip_norm": "clip grad_clip gradient_clip max_grad_norm clip_grad clipnorm gradient_clip_val",
    "weight_decay": "wd l2 decay",
    "momentum": "mu",
    "schedule": "lr_schedule lr_scheduler scheduler lr_policy lr_decay_style",
    "warmup_steps": "warmup warmup_iters num_warmup_steps",
    "decay_rate": "lr_decay learning_rate_decay gamma",
    "evaluate_every": "eval_every eval_interval val_interval eval_val_every eval_steps val_every eval_freq validation_steps",
    "save_every": "checkpoint_every save_interval save_steps save_freq checkpoint_interval",
    "log_every": "log_interval print_every logging_steps log_freq print_freq",
    "keep": "save_total_limit max_to_keep keep_checkpoints",
    "patience": "early_stopping early_stop",
    "averaging": "ema swa polyak",
    "dropout": "drop drop_prob dropout_rate p_drop dropout_p",
    "dtype": "precision fp16 bf16 half amp mixed_precision",
    "tied": "tie tied_weights tie_weights tie_embeddings weight_tying",
    "zoneout": "zone_out",
    "vocabulary": "vocab tokenizer level token_type",
    "min_count": "min_freq word_count_threshold min_word_freq vocab_threshold",
    "encoder": "cnn cnn_model backbone",
    "word_vectors": "glove word2vec embeddings pretrained_embeddings",
    "temperature": "temp t tau",
    "samples": "n num num_samples n_samples num_return_sequences n_seq count number",
    "n_best": "n num num_captions nbest num_return_sequences n_samples samples",
    "top": "n topk top_k k top_n num",
    "length": "max_length max_len max_new_tokens max_tokens num_tokens n_chars chars l len sample_len gen_length n_predict",
    "max_length": "length max_len max_new_tokens max_tokens max_words",
    "top_k": "topk k",
    "top_p": "topp p nucleus nucleus_p",
    "min_p": "minp",
    "repetition_penalty": "rep_penalty repeat_penalty frequency_penalty presence_penalty",
    "stop": "stop_sequence stop_token stop_words eos",
    "prompt": "start start_text primetext prime prime_text prime_str prefix seed_text context text input initial",
    "prompt_file": "start_file input_file",
    "beam": "beams beam_size num_beams beam_width width",
    "seed": "random_seed random_state rng rng_seed",
    "json": "format output_format as_json",
    "out": "output o output_dir output_file save save_dir outdir out_dir checkpoint_dir logdir log_dir run_dir model_dir name",
    "figure": "plot attention visualize vis image_out",
    "config": "cfg conf settings params",
    "resume": "restore continue init_from load resume_from resume_from_checkpoint checkpoint ckpt start_from restart",
    "hosts": "distributed world_size dist nodes",
    "mesh": "devices gpus num_gpus n_gpus parallel",
    "weights": "pretrained checkpoint ckpt load params",
    "labels": "classes class_names names label_file",
    "model": "network net arch architecture backbone",
    "input": "size image_size input_size shape input_shape resolution img_size",
    "layer": "layers blobs feature feature_layer",
    "images": "image image_dir img img_dir pictures photos image_folder",
    "captions": "annotations caption_file captions_file ann_file",
    "questions": "question q question_file",
    "run": "model model_path checkpoint ckpt run_dir model_dir load m directory folder path",
    "network": "model name arch architecture net",
    "name": "model network net arch architecture backbone",
    "streams": "batch_size batch bs parallel",
    "corpus": "data input text file files dataset data_dir data_path train_file input_file input_txt path corpus_file",
    "file": "data input text files dataset data_dir data_path input_file path test_file",
    "texts": "data input text file files dataset data_dir path train_file",
    "words": "images image data input file files path",
}  # fmt: skip


def likely(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to a wrong one; None if no name is near.

    Names may have sections (`train.steps`) and dashes instead of underscores. The end of a name counts most, then the names
    of other tools, then the beginning, then the characters.

    Example:
        >>> likely("hidden-size", ["model.layers", "model.hidden-features"]), likely("temp", ["length", "temperature"])
        ('model.hidden-features', 'temperature')
        >>> likely("zzz", ["length"]) is None
        True
    """
    known, end = list(known), _end(name)
    by_end = [right for right in known if _end(right) == end]
    synonyms = [right for ours, others in _SYNONYMS.items() if end in others.split() for right in known if _end(right) == ours]
    begun = [right for right in known if len(end) > 2 and _end(right).startswith(end)]
    return next(iter([*by_end, *synonyms, *begun, *_alike(name, known)]), None)


def nearest(name: str, known: Sequence[str] | Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the known name that is nearest to a wrong one, or all names if no name is near.

    Example:
        >>> nearest("widow", ["window", "seed"])
        "; did you mean 'window'?"
    """
    known = list(known)
    found = likely(name, known)
    return f"; did you mean {found!r}?" if found else f"; known are {', '.join(known)}"


def _end(name: str) -> str:
    return name.rpartition(".")[2].replace("-", "_").lower()


def _alike(name: str, known: Sequence[str]) -> list[str]:
    def likeness(right: str) -> float:
        pairs = ((name, right), (_end(name), _end(right)))
        return max(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)

    return [right for right in sorted(known, key=likeness, reverse=True) if likeness(right) >= _ALIKE][:1]
