from maple.runtime.fingerprint import weights_digest


def test_a_model_s_digest_covers_its_weights_configs_and_code(tmp_path):
    def write(name, content):
        (tmp_path / name).write_text(content)
        return weights_digest(tmp_path)

    write("model.safetensors", "1")
    digests = {
        write("config.json", "{}"), write("generation_config.json", '{"eos_token_id": 2}'),
        write("generation_config.json", '{"eos_token_id": [2, 3]}'), write("tokenizer_config.json", "{}"),
        write("modeling.py", "pass"), write("model.safetensors", "2"),
    }  # fmt: skip
    assert len(digests) == 6
    assert write("README.md", "words") in digests
