"""The engines behind `synth.teacher.Teacher`, one file each; vLLM is imported in `vllm.py` alone."""
