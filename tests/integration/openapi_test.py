# SPDX-License-Identifier: Apache-2.0
"""schemathesis, which makes requests from the OpenAPI description, against the real server."""

import unittest

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (content_type_conformance,
                                               response_schema_conformance,
                                               status_code_conformance)

from tests.support.server_process import ServerProcess

CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
# Names that there are, so that not every request ends at an unknown model.
NAMES = {"model": "digits-mlp-int8", "version": "1"}


class OpenApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess()
        cls.url = f"http://{cls.server.http}"
        cls.schema = schemathesis.openapi.from_url(f"{cls.url}/v2/openapi.json")

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def operations(self):
        return [result.ok() for result in self.schema.get_all_operations()]

    def run_operation(self, operation, named: bool, examples: int) -> int:
        """Sends what schemathesis makes up; how many requests."""
        session = requests.Session()
        sent = 0

        @seed(20240229)
        @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def run(case):
            nonlocal sent
            if named:
                for name in case.path_parameters or {}:
                    case.path_parameters[name] = NAMES[name]
            response = case.call(base_url=self.url, session=session, timeout=60)
            sent += 1
            checks = list(CHECKS)
            # 501 and 503 say what is not offered or not ready; a load may fail.
            if response.status_code not in (501, 503):
                checks.append(not_a_server_error)
            case.validate_response(response, checks=checks)

        run()
        return sent

    def test_document_is_valid(self):
        self.schema.validate()

    def test_answers_are_as_described(self):
        for operation in self.operations():
            with self.subTest(operation.label):
                takes_names = "{" in operation.path
                changes_models = operation.path.endswith("load")
                sent = self.run_operation(operation, named=False, examples=10)
                if takes_names and not changes_models:
                    sent += self.run_operation(operation, named=True,
                                               examples=50 if "infer" in operation.path else 5)
                self.assertGreater(sent, 0)
        self.assertEqual(requests.get(f"{self.url}/v2/health/ready", timeout=60).status_code, 200)


if __name__ == "__main__":
    unittest.main()
