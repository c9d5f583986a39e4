"""Floor 2: which task is this? Label, rule, classifier. No I/O."""

from hybridllm.tasks.classifier import Classifier, RuleClassifier
from hybridllm.tasks.learned import LearnedClassifier
from hybridllm.tasks.naming import Named, TaskNamer

__all__ = ["Classifier", "LearnedClassifier", "Named", "RuleClassifier", "TaskNamer"]
